"""The network of a factory on loopback: real resolvers and TLS servers, good and bad, and a factory.yaml about them."""

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from diskimage_validator.cli import run
from tests.elements.pki import Issued
from tests.functional.ports import free_port
from tests.support.nginx import nginx as run_nginx

START_TIMEOUT = 10.0

NGINX = """\
    ssl_protocols TLSv1.2 TLSv1.3;
    root {folder};
{servers}"""

SERVER = """\
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/{name}.crt;
        ssl_certificate_key {folder}/{name}.key;
        {settings}
        location / {{ return 204; }}
    }}
"""


@dataclass(frozen=True)
class Outcome:
    """What ``readiness`` said: its exit status, and the results of its JSON report. Whatever is bad says what to do."""

    status: int
    results: list[dict[str, Any]]

    def __post_init__(self) -> None:
        bad = [one for one in self.results if one["status"] in ("fail", "error")]
        at_a_loss = [(one["check"], one["message"]) for one in bad if not one["hint"]]
        assert not at_a_loss, at_a_loss

    def of(self, check: str) -> list[tuple[str, str, str]]:
        """Return (subject, status, message) of the results of a check."""
        return [(one["subject"], one["status"], one["message"]) for one in self.results if one["check"] == check]

    def bad(self) -> dict[str, str]:
        """Return check to message of what failed or could not be told; of several of a check, the last."""
        return {one["check"]: one["message"] for one in self.results if one["status"] in ("fail", "error")}

    def asked(self) -> set[str]:
        """Return the checks that the factory asked for."""
        return {one["check"] for one in self.results if one["message"] != "the policy does not ask for it"}


def readiness(folder: Path, *options: str, **sections: Any) -> Outcome:
    """Write a factory.yaml with ``sections`` into ``folder`` and check it, as a user does, with further ``options``."""
    document = {"version": 1, "name": "test", "limits": {"timeout": 5}, **sections}
    file, output = folder / "factory.yaml", folder / "readiness.json"
    file.write_text(yaml.safe_dump(document))
    status = run(["readiness", str(file), "--format", "json", "--output", str(output), "--quiet", *options])
    return Outcome(status, json.loads(output.read_text())["results"])


@contextlib.contextmanager
def dnsmasq(*options: str, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Run a resolver that knows what ``options`` say and refuses the rest; give its ADDRESS:PORT."""
    port = port or free_port()
    command = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--pid-file="]
    command += ["--bind-interfaces", f"--listen-address={host}", f"--port={port}", "--user=root", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(process, port, host=host)
        yield f"{host}:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


@dataclass(frozen=True)
class TlsServer:
    """One server of nginx: what it presents, with which key, and further settings."""

    chain: Sequence[bytes]
    key: bytes
    settings: str = ""


def presenting(leaf: Issued, *others: Issued, settings: str = "") -> TlsServer:
    return TlsServer([leaf.cert_pem, *(other.cert_pem for other in others)], leaf.key_pem, settings)


@contextlib.contextmanager
def nginx(folder: Path, servers: dict[str, TlsServer]) -> Iterator[dict[str, int]]:
    """Run all ``servers`` in one nginx; give the port of each."""
    ports = {name: free_port() for name in servers}
    blocks = []
    for name, server in servers.items():
        (folder / f"{name}.crt").write_bytes(b"".join(server.chain))
        (folder / f"{name}.key").write_bytes(server.key)
        blocks.append(SERVER.format(folder=folder, name=name, port=ports[name], settings=server.settings))
    with run_nginx(folder, NGINX.format(folder=folder, servers="".join(blocks)), ports.values()):
        yield ports


def _wait_for(process: subprocess.Popen[bytes], port: int, *, host: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
            return
        assert process.poll() is None, "the server ended"
        assert time.monotonic() < deadline, "the server does not answer"
        time.sleep(0.02)
