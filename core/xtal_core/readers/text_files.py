"""Text out of files as instruments and people write them: any usual encoding, any line end, nothing binary."""

from __future__ import annotations

import re
from pathlib import Path

from xtal_core.errors import InputError

#: Byte order marks and the encodings they announce.
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def read_text(path: str | Path, error: type[InputError], wanted: str) -> str:
    """Return the text in the file at `path`, with line ends as newlines.

    UTF-8 is tried before Latin-1, which every old instrument's degree and Å signs are in.

    Parameters
    ----------
    path
        A file, or a pipe such as a shell's process substitution.
    error
        What to raise when the file cannot be read, is empty or binary.
    wanted
        What the file should hold, in a few words, for the messages.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise error("is a folder", f"give {wanted}", path)
        content = path.read_bytes()
    except FileNotFoundError:
        raise error("there is no such file", f"give {wanted}", path) from None
    except (OSError, ValueError) as reason:
        cause = getattr(reason, "strerror", None) or str(reason)
        raise error(f"cannot be read ({cause})", "check the name and the permissions", path) from None
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if content.startswith(mark)), None)
    if encoding is None and b"\0" in content:
        raise error("is a binary file", f"decompress it or export it as text, and give {wanted}", path)
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if not text.strip():
        raise error("is empty", f"give {wanted}", path)
    return re.sub(r"\r\n?", "\n", text)
