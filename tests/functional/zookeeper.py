"""A real ZooKeeper on loopback that speaks TLS only and lets in only who has a certificate of its CA.

Nodepool takes no other connection. The server is Debian's ``libzookeeper-java``; its settings are those of ZooKeeper's
administrator's guide, "Encryption, Authentication, Authorization Options".
"""

import contextlib
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.elements.pki import make_ca, make_client, make_server
from tests.functional.ports import free_port

START_TIMEOUT = 60.0  # seconds; a Java virtual machine on a busy host

JAVA = Path("/usr/share/java")
JARS = ["zookeeper*", "netty*", "slf4j-api", "slf4j-simple", "metrics-core", "snappy-java"]
QUIET = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
MAIN = "org.apache.zookeeper.server.quorum.QuorumPeerMain"

CONFIGURATION = """\
dataDir={folder}/data
secureClientPort={port}
secureClientPortAddress=127.0.0.1
serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory
ssl.keyStore.location={folder}/server.pem
ssl.trustStore.location={folder}/ca.pem
ssl.clientAuth=need
admin.enableServer=false
tickTime=2000
maxSessionTimeout=40000
"""


@dataclass(frozen=True)
class ZooKeeper:
    """A running server. ``folder`` holds its files, its log, and ``client.pem``, ``client.key`` and ``ca.pem``."""

    port: int
    folder: Path

    def settings(self) -> dict[str, object]:
        """Return the keys of nodepool.yaml that lead here."""
        names = {"cert": "client.pem", "key": "client.key", "ca": "ca.pem"}
        return {
            "zookeeper-servers": [{"host": "127.0.0.1", "port": self.port}],
            "zookeeper-tls": {key: str(self.folder / name) for key, name in names.items()},
        }


@contextlib.contextmanager
def zookeeper(folder: Path) -> Iterator[ZooKeeper]:
    """Run a ZooKeeper with a PKI of its own until the block ends."""
    folder.mkdir(parents=True)
    authority = make_ca("ZooKeeper test CA, do not trust")
    server = make_server(authority, ["127.0.0.1"])
    client = make_client(authority, "nodepool")
    (folder / "ca.pem").write_bytes(authority.cert_pem)
    (folder / "server.pem").write_bytes(server.key_pem + server.cert_pem)
    (folder / "client.pem").write_bytes(client.cert_pem)
    (folder / "client.key").write_bytes(client.key_pem)
    running = ZooKeeper(free_port(), folder)
    configuration = folder / "zoo.cfg"
    configuration.write_text(CONFIGURATION.format(folder=folder, port=running.port))
    jars = [str(path) for name in JARS for path in JAVA.glob(f"{name}.jar")]
    command = ["java", "-Xmx128m", QUIET, "-cp", ":".join(jars), MAIN, str(configuration)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_until_up(process, running)
        yield running
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_up(process: subprocess.Popen[bytes], running: ZooKeeper) -> None:
    context = ssl.create_default_context(cafile=str(running.folder / "ca.pem"))
    context.load_cert_chain(running.folder / "client.pem", running.folder / "client.key")
    deadline = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", running.port), timeout=1) as connection,
            context.wrap_socket(connection, server_hostname="127.0.0.1"),
        ):
            return
        time.sleep(0.1)
    message = f"ZooKeeper does not answer:\n{(running.folder / 'log').read_text()[-2000:]}"
    raise RuntimeError(message)
