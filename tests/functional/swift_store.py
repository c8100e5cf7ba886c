"""A real Swift for tests, see ``swift_server``."""

import contextlib
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SERVER = Path(__file__).with_name("swift_server.py")
START_TIMEOUT = 30.0


@dataclass(frozen=True)
class SwiftStore:
    """A running proxy, without TLS: that comes in front of it."""

    port: int

    def token(self, user: str) -> str:
        """Return a token of the account ``ci``: ``admin`` may do everything, ``reader`` what containers let it do."""
        headers = {"X-Auth-User": f"ci:{user}", "X-Auth-Key": "secret"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/auth/v1.0", headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.headers["X-Auth-Token"])

    def ask(self, method: str, path: str = "", body: bytes | None = None, **headers: str) -> str:
        """Send a request about the account ``ci`` as its administrator, return what it answers."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.port}/v1/AUTH_ci{path}"
        request = urllib.request.Request(url, body, {"X-Auth-Token": self.token("admin"), **sent}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.read().decode())


@contextlib.contextmanager
def swift_store(folder: Path) -> Iterator[SwiftStore]:
    """Run Swift in ``folder`` until the block ends."""
    folder.mkdir()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["/usr/bin/python3", str(SERVER), str(folder)], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while not (folder / "port").exists():
            assert process.poll() is None, f"Swift ended (is python3-swift installed?): {(folder / 'log').read_text()}"
            assert time.monotonic() < deadline, "Swift does not begin"
            time.sleep(0.05)
        yield SwiftStore(int((folder / "port").read_text()))
    finally:
        process.terminate()
        process.wait(timeout=10)
