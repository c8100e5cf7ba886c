"""A real S3 service for tests: moto's server, which checks signatures and rights once it is told to."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.functional.ports import free_port

START_TIMEOUT = 30.0
REGION = "us-east-1"
VERSIONS = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


@dataclass(frozen=True)
class S3Store:
    """A running service, without TLS: that comes in front of it. ``keys``: access and secret key of each user."""

    port: int
    keys: dict[str, tuple[str, str]]

    def ask(self, method: str, path: str, body: bytes | None = None, *, service: str = "s3") -> str:
        """Send a request as nobody, which works until rights are checked, or to moto itself; return the answer."""
        scope = f"Credential=nobody/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0"
        kind = "application/x-www-form-urlencoded" if service == "iam" else "application/octet-stream"
        headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}", "Content-Type": kind}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.read().decode())

    def user(self, name: str, *actions: str) -> None:
        """Make a user who may do ``actions`` to everything."""
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._iam("CreateUser", UserName=name)
        self._iam("PutUserPolicy", UserName=name, PolicyName="all", PolicyDocument=policy)
        made = self._iam("CreateAccessKey", UserName=name)
        found = [re.search(f"<{tag}>([^<]+)<", made) for tag in ("AccessKeyId", "SecretAccessKey")]
        access, secret = (match[1] for match in found if match)
        self.keys[name] = (access, secret)

    def _iam(self, action: str, **parameters: str) -> str:
        form = urllib.parse.urlencode({"Action": action, "Version": "2010-05-08", **parameters})
        return self.ask("POST", "/", form.encode(), service="iam")

    def lock(self) -> None:
        """Check signatures and rights from now on."""
        self.ask("POST", "/moto-api/reset-auth", b"0")

    def unlock(self) -> None:
        """Check nothing any more."""
        self.ask("POST", "/moto-api/reset-auth", b"inf")


@contextlib.contextmanager
def s3_store(folder: Path) -> Iterator[S3Store]:
    """Run the service until the block ends."""
    folder.mkdir()
    store = S3Store(free_port(), {})
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(store.port)]
    # One object a page: what is listed comes in several.
    environment = {**os.environ, "MOTO_S3_DEFAULT_MAX_KEYS": "1"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            with contextlib.suppress(urllib.error.URLError):
                store.ask("GET", "/")
                break
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "moto does not begin"
            time.sleep(0.1)
        yield store
    finally:
        process.terminate()
        process.wait(timeout=10)
