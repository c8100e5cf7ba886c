"""A real Zuul on loopback: ZooKeeper, PostgreSQL, and scheduler, executor, merger, launcher and web server from PyPI.

It is idle: one tenant with a repository of this host, another without any, and no nodes. The executor's Ansible is the
one beside Zuul, which it looks for and never runs.
"""

import contextlib
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.elements.pki import make_ca, make_server
from tests.functional.ports import free_port
from tests.functional.postgresql import ADMIN, postgresql
from tests.functional.zookeeper import zookeeper
from tests.functional.zuul_application import Zuul

START_TIMEOUT = 180.0  # seconds; five Python programs that import Zuul, on a busy host
STOP_TIMEOUT = 30.0
ANSIBLES = ("9", "11")
COMPONENTS = ("scheduler", "merger", "web", "executor", "launcher")

CONFIGURATION = """\
[zookeeper]
hosts=127.0.0.1:{zookeeper.port}
tls_cert={zookeeper.folder}/client.pem
tls_key={zookeeper.folder}/client.key
tls_ca={zookeeper.folder}/ca.pem
[database]
dburi=postgresql+psycopg2://{admin}@/zuul?host={database.folder}&port={database.port}
[keystore]
password=secret
[scheduler]
tenant_config={folder}/tenants.yaml
command_socket={folder}/scheduler.socket
state_dir={folder}/state
[executor]
state_dir={folder}/state
job_dir={folder}/builds
command_socket={folder}/executor.socket
private_key_file={folder}/key
ansible_root={folder}/ansible
manage_ansible=false
finger_port={finger}
[merger]
git_dir={folder}/merger
git_user_email=zuul@example.org
git_user_name=Zuul
command_socket={folder}/merger.socket
[launcher]
state_dir={folder}/state
command_socket={folder}/launcher.socket
[web]
listen_address=127.0.0.1
port={port}
command_socket={folder}/web.socket
static_path={folder}/static
[connection git]
driver=git
baseurl=file://{folder}/git
"""

TENANTS = """\
- tenant:
    name: images
    source: {git: {config-projects: [config]}}
- tenant:
    name: empty
"""

# One error, and what makes a label of Zuul's own.
REPOSITORY = """\
- pipeline: {name: check, manager: independent, trigger: {git: [{event: ref-updated}]}}
- job: {name: base, parent: null}
- job: {name: wrong, parent: missing}
- image: {name: debian, type: cloud}
- flavor: {name: normal}
- label: {name: debian-bookworm-airgap, image: debian, flavor: normal}
"""

CLIENT = """\
import configparser, logging, sys
from zuul.model import TenantEventState
from zuul.zk import ZooKeeperClient
from zuul.zk.components import ExecutorComponent
from zuul.zk.event_queues import TENANT_EVENT_STATE
from zuul.zk.zkobject import ZKContext
config = configparser.ConfigParser()
config.read(sys.argv[1])
client = ZooKeeperClient.fromConfig(config)
client.connect()
"""
STRANGER = """\
component = ExecutorComponent(client, sys.argv[2], version=sys.argv[3])
component.register()
component.state = component.RUNNING
"""
HALT = """\
state = TenantEventState(TENANT_EVENT_STATE.format(tenant=sys.argv[2]))
state._set(trigger_queue_paused=True, reason=sys.argv[3])
state.internalCreate(ZKContext(client, None, None, logging.getLogger()))
"""
WAIT = """\
print("done", flush=True)
sys.stdin.read()
client.disconnect()
"""


@dataclass(frozen=True)
class ZuulServices:
    """A running Zuul; its web server speaks HTTP on ``port`` of loopback."""

    zuul: Zuul
    folder: Path
    port: int

    def command(self, component: str, command: str) -> None:
        """Tell a component something, as ``zuul-COMPONENT pause`` does (zuul.lib.commandsocket)."""
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(self.folder / f"{component}.socket"))
            link.sendall(f"{command}\n".encode())

    @contextlib.contextmanager
    def stranger(self, hostname: str, version: str) -> Iterator[None]:
        """Have one more executor in the list, of another version, by Zuul's own code."""
        with self._client(STRANGER, hostname, version):
            yield

    @contextlib.contextmanager
    def halted(self, tenant: str, reason: str) -> Iterator[None]:
        """Pause the queue of a tenant, as its administrators do through the API, for good."""
        with self._client(HALT, tenant, reason):
            yield

    @contextlib.contextmanager
    def _client(self, code: str, *arguments: str) -> Iterator[None]:
        python, configuration = str(self.zuul.folder / "bin/python"), str(self.folder / "zuul.conf")
        command = [python, "-c", CLIENT + code + WAIT, configuration, *arguments]
        with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stdout.readline() == "done\n"
            yield
            process.communicate(timeout=STOP_TIMEOUT)


@contextlib.contextmanager
def zuul_services(folder: Path, zuul: Zuul) -> Iterator[ZuulServices]:
    """Run Zuul until the block ends. Half a minute to start, five seconds to stop."""
    authority = make_ca("Database CA")
    leaf = make_server(authority, ["127.0.0.1"])
    with (
        zookeeper(folder / "zookeeper") as coordination,
        postgresql(authority, leaf) as database,
        contextlib.ExitStack() as stack,
    ):
        port = free_port()
        for name in ("state", "builds", "static", "ansible"):
            (folder / name).mkdir()
        for version in ANSIBLES:
            (folder / "ansible" / version).symlink_to(zuul.folder)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")], check=True)
        _make_repository(folder / "git/config")
        (folder / "tenants.yaml").write_text(TENANTS)
        names = {"folder": folder, "zookeeper": coordination, "database": database, "admin": ADMIN}
        names |= {"finger": free_port(), "port": port}
        (folder / "zuul.conf").write_text(CONFIGURATION.format(**names))
        programs = {name: _start(folder, zuul, name) for name in COMPONENTS}
        stack.callback(_stop, programs)
        _wait(folder, programs, port)
        yield ZuulServices(zuul, folder, port)


def _make_repository(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "zuul.yaml").write_text(REPOSITORY)
    git = ["git", "-c", "user.name=Zuul", "-c", "user.email=zuul@example.org"]
    for command in (["init", "--quiet", "--initial-branch=master"], ["add", "."], ["commit", "--quiet", "-m", "One"]):
        subprocess.run([*git, *command], cwd=folder, check=True)


def _start(folder: Path, zuul: Zuul, name: str) -> subprocess.Popen[bytes]:
    command = [str(zuul.folder / f"bin/zuul-{name}"), "-f", "-d", "-c", str(folder / "zuul.conf")]
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)


def _stop(programs: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """End all: the executor has a child to end, and the others would only tidy up what is thrown away."""
    for name, program in programs.items():
        program.send_signal(signal.SIGTERM if name == "executor" else signal.SIGKILL)
    for program in programs.values():
        try:
            program.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()


def _wait(folder: Path, programs: Mapping[str, subprocess.Popen[bytes]], port: int) -> None:
    """Wait until every component says that it is running."""
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        said = b""
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/components", timeout=5) as answer,
        ):
            said = answer.read()
        if said.count(b'"running"') == len(programs):
            return
        for name, program in programs.items():
            assert program.poll() is None, f"{name} ended: {(folder / f'{name}.log').read_text()[-2000:]}"
        assert time.monotonic() < deadline, said
        time.sleep(0.2)
