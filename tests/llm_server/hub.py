"""A small imitation of the Hugging Face Hub: HEAD and GET of one file, with its headers."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What it holds, how it misbehaves, and what it was asked.

    Attributes:
        path: ``owner/name/resolve/main/file`` of the one file.
        content: the bytes it serves.
        stated: the SHA-256 that it states.
        cut_at: the connection of each GET breaks after so many bytes, while set.
        hangs: says nothing more after ``cut_at`` bytes, instead of breaking the connection.
        refusal: status and ``X-Error-Code`` of every answer, while set.
        token: if set, who comes without it gets 401 with ``GatedRepo``.
        asked: (method, Range header, Authorization header) of every request.
    """

    path: str
    content: bytes
    stated: str = ""
    cut_at: int | None = None
    hangs: bool = False
    refusal: tuple[int, str] | None = None
    token: str | None = None
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self.hold(self.content)

    def hold(self, content: bytes) -> None:
        """Serve ``content``, with its true hash."""
        self.content, self.stated = content, hashlib.sha256(content).hexdigest()


@contextmanager
def running_hub(hub: Hub) -> Iterator[Hub]:
    """Serve ``hub`` on a free port for the body of the ``with``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            if self._allowed("HEAD"):
                self._head(200, len(hub.content))

        def do_GET(self) -> None:
            if not self._allowed("GET"):
                return
            start = int((self.headers.get("Range") or "bytes=0-")[len("bytes=") : -1])
            self._head(206 if start else 200, len(hub.content) - start, start)
            if hub.cut_at is None:
                self.wfile.write(hub.content[start:])
                return
            self.wfile.write(hub.content[start : start + hub.cut_at])
            self.wfile.flush()
            if hub.hangs:
                self.rfile.read(1)  # until the client goes
            self.connection.shutdown(2)
            self.close_connection = True

        def _allowed(self, method: str) -> bool:
            authorization = self.headers.get("Authorization")
            hub.asked.append((method, self.headers.get("Range"), authorization))
            refusal = hub.refusal
            if hub.token and authorization != f"Bearer {hub.token}":
                refusal = (401, "GatedRepo")
            if self.path.split("?")[0].lstrip("/").replace(COMMIT, "main") != hub.path:
                refusal = refusal or (404, "EntryNotFound")
            if refusal is None:
                return True
            self.send_response(refusal[0])
            self.send_header("X-Error-Code", refusal[1])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False

        def _head(self, status: int, length: int, start: int = 0) -> None:
            total = len(hub.content)
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("X-Linked-Size", str(total))
            self.send_header("X-Linked-Etag", f'"{hub.stated}"')
            self.send_header("ETag", f'"{hub.stated}"')
            if start:
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
