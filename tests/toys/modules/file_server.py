"""A local HTTP server of files that breaks off, refuses ranges, or changes files, as tests wish."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What is served, how, and what was asked for.

    Attributes
    ----------
    files
        Content by path.
    break_after
        Bytes after which each of the next answers breaks off; the last None is for all that follow.
    ranges
        Whether parts of files are sent when they are asked for.
    etags
        Whether files are identified.
    requests
        (path, first byte asked for).
    """

    files: dict[str, bytes]
    break_after: list[int] = field(default_factory=list)
    ranges: bool = True
    etags: bool = True
    requests: list[tuple[str, int]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serve(files: dict[str, bytes]) -> Iterator[FileServer]:
    """Serve `files` on a free port of this machine."""
    state = FileServer(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
            start = int(asked[1]) if asked else 0
            state.requests.append((self.path, start))
            content = state.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            etag = f'"{hashlib.md5(content).hexdigest()}"'
            if not state.ranges or self.headers.get("If-Range", etag) != etag:
                start = 0
            if start and start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if state.etags:
                self.send_header("ETag", etag)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            limit = state.break_after.pop(0) if state.break_after else None
            self.wfile.write(content[start:] if limit is None else content[start : start + limit])
            self.close_connection = True

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
