"""A real nodepool-launcher with its status page, on nodes that are there already (the driver ``static``)."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.functional.nodepool_builder import Nodepool
from tests.functional.ports import free_port
from tests.functional.zookeeper import ZooKeeper

START_TIMEOUT = 120.0

UPLOAD = """\
import sys
from nodepool import config
from nodepool.zk import ZooKeeperClient, zookeeper
whole = config.loadConfig(sys.argv[1])
tls = {f"tls_{name}": getattr(whole, f"zookeeper_tls_{name}") for name in ("cert", "key", "ca")}
connection = ZooKeeperClient(whole.zookeeper_servers, **tls)
connection.connect()
client = zookeeper.ZooKeeper(connection, enable_cache=False)
image, provider, state = sys.argv[2:]
(build,) = client.getBuildIds(image)
upload = zookeeper.ImageUpload()
upload.state = state
client.storeImageUpload(image, build, provider, upload)
client.disconnect()
"""


@dataclass(frozen=True)
class Launcher:
    """A launcher whose status page speaks HTTP on ``port`` of loopback."""

    nodepool: Nodepool
    file: Path
    port: int

    def upload(self, image: str, provider: str, state: str) -> None:
        """Store an upload of the only build of ``image``, as a builder does, by Nodepool's own code."""
        command = [self.nodepool.program("python"), "-c", UPLOAD, str(self.file), image, provider, state]
        subprocess.run(command, check=True)


@contextlib.contextmanager
def nodepool_launcher(
    nodepool: Nodepool, coordination: ZooKeeper, folder: Path, nodes: Mapping[str, str]
) -> Iterator[Launcher]:
    """Run a launcher for ``nodes``, host to label, until the block ends."""
    folder.mkdir(parents=True)
    port = free_port()
    pool = {
        "name": "main",
        "nodes": [{"name": host, "labels": label, "host-key-checking": False} for host, label in nodes.items()],
    }
    configuration = {
        **coordination.settings(),
        "webapp": {"port": port, "listen_address": "127.0.0.1"},
        "labels": [{"name": label} for label in dict.fromkeys(nodes.values())],
        "providers": [{"name": "static", "driver": "static", "pools": [pool]}],
    }
    file, log = folder / "nodepool.yaml", folder / "launcher.log"
    file.write_text(yaml.safe_dump(configuration))
    with log.open("wb") as stream:
        command = [nodepool.program("nodepool-launcher"), "-d", "-c", str(file)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT)
    try:
        _wait(process, port, log)
        yield Launcher(nodepool, file, port)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the status page answers; the launcher may not be ready yet."""
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert process.poll() is None, log.read_text()[-2000:]
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.1)
