"""A small server of files on loopback: PUT stores one, GET gives it. What an object store is to a job that uploads."""

import contextlib
import http.server
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ObjectStore:
    """A running server; ``files`` holds what was stored, ``asked`` every request as ``GET /path``."""

    url: str
    files: Path
    asked: list[str] = field(default_factory=list)

    def put(self, name: str, content: bytes) -> str:
        """Store ``content`` and return its URL."""
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return f"{self.url}/{name}"

    def stored(self, folder: str) -> dict[str, bytes]:
        """Return the files in ``folder`` by name."""
        return {path.name: path.read_bytes() for path in sorted((self.files / folder).glob("*"))}


@contextlib.contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """Serve ``folder`` until the context ends."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        store = ObjectStore(f"http://127.0.0.1:{server.server_address[1]}", folder)
        server.store = store  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield store
        finally:
            server.shutdown()
            thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        path = self._path()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            left = int(self.headers["Content-Length"])
            while left and (part := self.rfile.read(min(left, 1 << 20))):
                left -= file.write(part)
        self.send_response(201)
        self.end_headers()

    def do_GET(self) -> None:
        path = self._path()
        if not path.is_file():
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.end_headers()
        with path.open("rb") as file:
            shutil.copyfileobj(file, self.wfile)

    def log_message(self, *_: object) -> None:
        """Say nothing: the tests look at what was asked."""

    def _path(self) -> Path:
        store: ObjectStore = self.server.store  # type: ignore[attr-defined]
        store.asked.append(f"{self.command} {self.path}")
        return store.files / self.path.lstrip("/")
