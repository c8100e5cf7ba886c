"""A real container registry with TLS on loopback, and a way to put a first image into it."""

import contextlib
import hashlib
import io
import json
import socket
import ssl
import subprocess
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

from tests.elements.pki import Issued
from tests.functional.ports import free_port

START_TIMEOUT = 20.0
MANIFEST = "application/vnd.oci.image.manifest.v1+json"

CONFIGURATION = """\
version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}}}
http:
  addr: 127.0.0.1:{port}
  tls: {{certificate: {folder}/server.crt, key: {folder}/server.key, clientcas: {clients}}}
{more}
"""


@dataclass(frozen=True)
class Registry:
    """A running registry; ``folder`` holds its files and log."""

    port: int
    folder: Path
    context: ssl.SSLContext

    def push(self, name: str, files: dict[str, bytes]) -> None:
        """Push an amd64 image ``name`` (``repository:tag``) of one layer with these executable files."""
        repository, _, tag = name.partition(":")
        layer = _layer(files)
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/bin/sh"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
        text = json.dumps(config).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._blob(repository, text, "application/vnd.oci.image.config.v1+json"),
            "layers": [self._blob(repository, layer, "application/vnd.oci.image.layer.v1.tar")],
        }
        self._ask("PUT", f"/v2/{repository}/manifests/{tag}", json.dumps(manifest).encode(), MANIFEST)

    def tags(self, repository: str) -> list[str]:
        """Return the tags of a repository."""
        found: list[str] = json.loads(self._ask("GET", f"/v2/{repository}/tags/list")[1])["tags"]
        return found

    def _blob(self, repository: str, content: bytes, media_type: str) -> dict[str, str | int]:
        location, _ = self._ask("POST", f"/v2/{repository}/blobs/uploads/")
        joint = "&" if "?" in location else "?"
        self._ask("PUT", f"{location}{joint}digest={_digest(content)}", content, "application/octet-stream")
        return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}

    def _ask(self, method: str, path: str, data: bytes | None = None, media_type: str = "") -> tuple[str, bytes]:
        url = urljoin(f"https://127.0.0.1:{self.port}", path)
        headers = {"Content-Type": media_type} if media_type else {}
        request = urllib.request.Request(url, data=data, method=method, headers=headers)
        with urllib.request.urlopen(request, context=self.context, timeout=30) as response:
            return response.headers.get("Location", ""), response.read()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _layer(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@contextlib.contextmanager
def registry(
    folder: Path, server: Issued, authority: Issued, clients: Path | None = None, more: str = ""
) -> Iterator[Registry]:
    """Run docker-registry with the certificate ``server``, signed by ``authority``, until the block ends.

    ``clients``: PEM file with the CA of the certificates that it demands of its clients, if it does; ``more``: further
    configuration, YAML.
    """
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "server.crt").write_bytes(server.cert_pem)
    (folder / "server.key").write_bytes(server.key_pem)
    (folder / "config.yml").write_text(
        CONFIGURATION.format(folder=folder, port=port, clients=[str(clients)] if clients else [], more=more)
    )
    running = Registry(port, folder, ssl.create_default_context(cadata=authority.cert_pem.decode()))
    with (folder / "log").open("wb") as log:
        command = ["docker-registry", "serve", str(folder / "config.yml")]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "docker-registry does not answer"
            time.sleep(0.1)
        yield running
    finally:
        process.terminate()
        process.wait(timeout=20)
