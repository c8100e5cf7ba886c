"""Real ZooKeepers on loopback that speak TLS only and let in only who has a certificate of their CA.

Nodepool takes no other connection. The server is Debian's ``libzookeeper-java``; its settings are those of ZooKeeper's
administrator's guide, "Encryption, Authentication, Authorization Options".
"""

import contextlib
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.elements.pki import Issued, make_ca, make_client, make_server
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
admin.enableServer=false
maxSessionTimeout=40000
forceSync=no
{more}
"""
ALONE = "tickTime=2000\nssl.clientAuth=need"
TOGETHER = "tickTime=1000\ninitLimit=30\nsyncLimit=20\nssl.clientAuth=need\n4lw.commands.whitelist=srvr, mntr"
# Whom nobody answered asks again only so many milliseconds later: a minute, by default.
ELECTION = "-Dzookeeper.fastleader.maxNotificationInterval=300"


@dataclass(frozen=True)
class ZooKeeper:
    """A running server. ``folder`` holds its files, its log, and ``client.pem``, ``client.key`` and ``ca.pem``."""

    port: int
    folder: Path
    name: str
    process: subprocess.Popen[bytes]

    def settings(self) -> dict[str, object]:
        """Return the keys of nodepool.yaml that lead here."""
        names = {"cert": "client.pem", "key": "client.key", "ca": "ca.pem"}
        return {
            "zookeeper-servers": [{"host": "127.0.0.1", "port": self.port}],
            "zookeeper-tls": {key: str(self.folder / name) for key, name in names.items()},
        }

    def mode(self) -> str:
        """Return its role in the ensemble, ``standalone`` without one; empty as long as it serves nobody."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        context.load_cert_chain(self.folder / "client.pem", self.folder / "client.key")
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection,
            context.wrap_socket(connection, server_hostname=self.name) as link,
        ):
            link.sendall(b"srvr")
            said = b"".join(iter(lambda: link.recv(4096), b"")).decode()
            return said.partition("Mode: ")[2].partition("\n")[0]
        return ""

    def stop(self) -> None:
        """End it, as a host that dies does."""
        self.process.kill()
        self.process.wait(timeout=20)


@contextlib.contextmanager
def zookeeper(
    folder: Path, name: str = "127.0.0.1", more: str = ALONE, options: Sequence[str] = ()
) -> Iterator[ZooKeeper]:
    """Run a ZooKeeper with a PKI of its own until the block ends; ``options`` are for Java."""
    authority = make_ca("ZooKeeper test CA, do not trust")
    with _started(folder, authority, name, more, options) as running:
        _wait_until_up(running)
        yield running


@contextlib.contextmanager
def ensemble(folder: Path, authority: Issued, names: Sequence[str]) -> Iterator[list[ZooKeeper]]:
    """Run an ensemble of servers with certificates of ``authority`` for ``names``; the leader comes first."""
    places = [f"127.0.0.1:{free_port()}:{free_port()}" for _ in names]
    servers = "\n".join(f"server.{number}={place}" for number, place in enumerate(places, 1))
    with contextlib.ExitStack() as stack:
        running = []
        for number, name in enumerate(names, 1):
            (folder / name / "data").mkdir(parents=True)
            (folder / name / "data" / "myid").write_text(f"{number}\n")
            started = _started(folder / name, authority, name, f"{TOGETHER}\n{servers}", [ELECTION])
            running.append(stack.enter_context(started))
        for server in running:
            _wait_until_up(server)
        yield sorted(running, key=lambda server: server.mode() != "leader")


@contextlib.contextmanager
def _started(folder: Path, authority: Issued, name: str, more: str, options: Sequence[str] = ()) -> Iterator[ZooKeeper]:
    folder.mkdir(parents=True, exist_ok=True)
    server = make_server(authority, [name])
    client = make_client(authority, "nodepool")
    (folder / "ca.pem").write_bytes(authority.cert_pem)
    (folder / "server.pem").write_bytes(server.key_pem + server.cert_pem)
    (folder / "client.pem").write_bytes(client.cert_pem)
    (folder / "client.key").write_bytes(client.key_pem)
    port, configuration = free_port(), folder / "zoo.cfg"
    configuration.write_text(CONFIGURATION.format(folder=folder, port=port, more=more))
    jars = [str(path) for pattern in JARS for path in JAVA.glob(f"{pattern}.jar")]
    command = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", QUIET, *options, "-cp", ":".join(jars), MAIN]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, str(configuration)], stdout=log, stderr=subprocess.STDOUT)
    try:
        yield ZooKeeper(port, folder, name, process)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_up(running: ZooKeeper) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while running.process.poll() is None and time.monotonic() < deadline:
        if running.mode():
            return
        time.sleep(0.1)
    message = f"ZooKeeper does not answer:\n{(running.folder / 'log').read_text()[-2000:]}"
    raise RuntimeError(message)
