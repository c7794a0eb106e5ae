"""Downloads that go on where they were interrupted.

What has arrived is kept beside the file with the validator (ETag) that the server gave for it. The rest is asked for on
the condition that the server still has the same file (RFC 9110, sections 13.1.5 and 14), so that halves of two versions
are never joined.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xtal_core.errors import InputError, XtalError
from xtal_core.progress import Progress, SilentProgress

#: Bytes read at once.
BLOCK = 1 << 16

#: Seconds without a byte after which a connection counts as lost.
TIMEOUT = 30.0

#: How often a lost connection is taken up again, and seconds before the first time; later ones wait longer.
ATTEMPTS, PAUSE = 4, 1.0

_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


class DownloadError(XtalError):
    """A file that could not be fetched; what has arrived is kept."""


@dataclass(frozen=True)
class _Part:
    """What has arrived of a file: the bytes, and beside them where they are from."""

    path: Path

    @property
    def note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    def size(self, url: str) -> int:
        """Return how many bytes of what is at `url` are here; what is from elsewhere is removed."""
        if self.path.is_file() and self.origin().get("url") == url:
            return self.path.stat().st_size
        self.remove()
        return 0

    def origin(self) -> dict[str, str]:
        """Return `url` and `validator` as noted, nothing when there is no legible note."""
        try:
            return dict(json.loads(self.note.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def begin(self, url: str, validator: str) -> None:
        """Make an empty file and note where its bytes will be from."""
        self.path.write_bytes(b"")
        self.note.write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def download(
    url: str,
    path: Path,
    *,
    sha256: str | None = None,
    progress: Progress | None = None,
    remedy: str = "connect to the network and repeat the command",
) -> str:
    """Fetch `url` to `path`, completely or not at all, and return its SHA-256 in hexadecimal digits.

    Parameters
    ----------
    url
        http or https.
    path
        The file to write. What an interrupted call left beside it is continued.
    sha256
        What the file must be; None takes whatever comes.
    progress
        Where to show how many blocks of 64 kB have arrived.
    remedy
        What the user may do when the server cannot be reached.

    Raises
    ------
    DownloadError
        When the server cannot be reached, refuses, or breaks off again and again.
    InputError
        When the file is not the one that was wanted.
    """
    part = _Part(path.with_name(f".{path.name}.part"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder cannot be made ({error.strerror})", "choose another place", path.parent) from None
    reason: object = None
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            _fetch(url, part, progress or SilentProgress(), path.name)
            reason = None
            break
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise DownloadError(f"{url}: the server says {error.code} {error.reason}; {remedy}") from None
            reason = f"{error.code} {error.reason}"
        except urllib.error.URLError as error:
            reason = error.reason
            if not part.size(url):
                break  # there is no network, rather than one that failed
        except (OSError, http.client.HTTPException) as error:
            reason = error
    if reason is not None:
        arrived = part.size(url)
        kept = f"; {arrived} bytes have arrived and are kept" if arrived else ""
        raise DownloadError(f"{url}: cannot be fetched ({reason}){kept}; {remedy}")
    with part.path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 is not None and found != sha256:
        part.remove()
        raise InputError(
            f"what {url} sent has the SHA-256 {found} instead of {sha256}",
            "it was not kept; fetch it again, and if that does not help, from elsewhere",
            path,
        )
    part.path.replace(path)
    part.remove()
    return found


def _fetch(url: str, part: _Part, progress: Progress, label: str) -> None:
    """Complete `part`. Raises OSError or HTTPException when the connection is lost."""
    start, validator = part.size(url), part.origin().get("validator", "")
    headers = {"Accept-Encoding": "identity"}
    if start and validator:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        # Nothing follows what is here: it is complete, or it is not a beginning of what the server has.
        if _range(error.headers)[1] == start:
            return
        part.remove()
        raise ConnectionError("the server has another file now") from None
    with response:
        if response.status == 206:
            first, size = _range(response.headers)
            if first != start:
                part.remove()
                raise ConnectionError(f"asked for byte {start}, got byte {first}")
        else:
            length = response.headers.get("Content-Length")
            start, size = 0, int(length) if length else None
            part.begin(url, _strong_validator(response.headers))
        with part.path.open("ab") as file:
            n_blocks = None if size is None else -(-(size - start) // BLOCK)
            for block in progress.track(_blocks(response), label, n_blocks):
                file.write(block)
                file.flush()
        arrived = part.path.stat().st_size
    if size is not None and arrived != size:
        raise ConnectionError(f"the connection broke off after {arrived} of {size} bytes")


def _blocks(response: Any) -> Iterator[bytes]:
    while block := response.read(BLOCK):
        yield block


def _range(headers: Any) -> tuple[int | None, int | None]:
    """Return first byte and whole size as a Content-Range header states them; None for what it does not."""
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range") or "")
    if match is None:
        return None, None
    first, size = match.groups()
    return int(first) if first else None, int(size) if size and size != "*" else None


def _strong_validator(headers: Any) -> str:
    """Return what identifies the bytes of the file, nothing when the server does not say."""
    etag = headers.get("ETag") or ""
    return "" if etag.startswith("W/") else etag
