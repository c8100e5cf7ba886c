"""The mirror that benchmarks keep near: a real nginx, in front of a server that counts what it is asked."""

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from benchmarks.near_mirror import near_mirror

from airgap_image_factory.mirror import Mirror


class Upstream(ThreadingHTTPServer):
    """Answers any path with that path, and forbids to keep it; but for what is missing."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []

    @property
    def mirror(self) -> Mirror:
        base = f"http://127.0.0.1:{self.server_address[1]}"
        return Mirror(f"{base}/far/debian", f"{base}/safe/debian-security")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, Upstream)
        self.server.asked.append(self.path)
        content = self.path.encode()
        self.send_response(404 if "missing" in self.path else 200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return bytes(answer.read())


def test_what_was_downloaded_once_is_not_asked_for_again(upstream: Upstream, tmp_path: Path) -> None:
    with near_mirror(upstream.mirror, tmp_path / "mirror") as near:
        for _ in range(2):
            assert get(f"{near.archive}/pool/a.deb") == b"/far/debian/pool/a.deb"
            assert get(f"{near.security}/dists/x") == b"/safe/debian-security/dists/x"
        assert sorted(upstream.asked) == ["/far/debian/pool/a.deb", "/safe/debian-security/dists/x"]
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(f"{near.archive}/missing")
    with pytest.raises(urllib.error.URLError, match="refused"):
        get(f"{near.archive}/pool/a.deb")


def test_nginx_says_why_it_does_not_start(upstream: Upstream, tmp_path: Path) -> None:
    folder = tmp_path / "a;b"  # the end of a statement of its configuration
    with pytest.raises(RuntimeError, match="nginx did not start"), near_mirror(upstream.mirror, folder):
        pass
