"""A hub on this machine that serves a few files as huggingface.co does, with resuming."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

REVISION = "0" * 39 + "1"


@dataclass
class FakeHub:
    """What it serves, and what it was asked."""

    files: Mapping[str, bytes]
    """By `/owner/name/resolve/REVISION/file`."""
    address: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and the wished range of each request."""
    told: list[str] = field(default_factory=list)
    """All headers that came."""


@contextmanager
def fake_hub(files: Mapping[str, bytes]) -> Iterator[FakeHub]:
    """Serve within."""
    hub = FakeHub(files)

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            wished = self.headers.get("Range", "")
            hub.asked.append((self.command, self.path, wished))
            hub.told.extend(f"{name}: {text}" for name, text in self.headers.items())
            content = hub.files.get(self.path)
            if content is None:
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", wished)
            start = int(found[1]) if found else 0
            end = int(found[2]) + 1 if found and found[2] else len(content)
            self.send_response(206 if found else 200)
            self.send_header("ETag", f'"{sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", REVISION)
            self.send_header("Content-Length", str(end - start))
            if found:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
            self.end_headers()
            if with_body:
                self.wfile.write(content[start:end])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
