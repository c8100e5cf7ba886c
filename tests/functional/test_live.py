"""What a running node says and does, over a real sshd, against real servers on loopback."""

import datetime
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from diskimage_validator.endpoints import Address
from diskimage_validator.engines.directory import DirectoryEngine
from diskimage_validator.engines.ssh.engine import SshEngine
from diskimage_validator.facts.live import probes
from diskimage_validator.model import Report, Result, Status
from diskimage_validator.policy import load_policy
from diskimage_validator.runner import validate
from tests.functional.ssh_node import Node, run_node
from tests.support.chains import Made, authority, server

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
VALID = (NOW - DAY, NOW + DAY)
OLD = (NOW - 9 * DAY, NOW - 8 * DAY)
NAME = "registry.internal"


@dataclass(frozen=True)
class Ports:
    """Where the servers of this test listen."""

    good: int
    untrusted: int
    expired: int
    silent: int
    closed: int


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with run_node(tmp_path_factory.mktemp("node")) as running:
        yield running


@pytest.fixture(scope="module")
def ports(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    folder = tmp_path_factory.mktemp("servers")
    trusted, other = authority("Internal Root", valid=VALID), authority("Other Root", valid=VALID)
    trust(node.root, trusted)
    with ExitStack() as stack:
        good, untrusted, expired = (
            stack.enter_context(serve_tls(folder / name, server(issuer, NAME, valid=valid)))
            for name, issuer, valid in (("good", trusted, VALID), ("other", other, VALID), ("old", trusted, OLD))
        )
        silent = stack.enter_context(serve_silence())
        with socket.create_server(("127.0.0.1", 0)) as soon_closed:
            closed = soon_closed.getsockname()[1]
        yield Ports(good, untrusted, expired, silent, closed)


def trust(root: Path, ca: Made) -> None:
    """Do what update-ca-certificates(8) does: add to the bundle, and to the folder under the hash of the name."""
    certs = root / "etc/ssl/certs"
    bundle = certs / "ca-certificates.crt"
    bundle.write_bytes(bundle.read_bytes() + ca.pem)
    (certs / "internal.pem").write_bytes(ca.pem)
    command = ["openssl", "x509", "-noout", "-hash", "-in", str(certs / "internal.pem")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    (certs / f"{done.stdout.strip()}.0").symlink_to("internal.pem")


@contextmanager
def serve_tls(folder: Path, made: Made) -> Iterator[int]:
    """Shake hands with whoever comes, and answer like a web server."""
    folder.mkdir()
    (folder / "cert.pem").write_bytes(made.pem)
    (folder / "key.pem").write_bytes(made.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            while True:
                try:
                    link, _ = listening.accept()
                except OSError:
                    return
                with link, suppress(OSError), context.wrap_socket(link, server_side=True) as secure:
                    secure.recv(4096)
                    secure.sendall(b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def serve_silence() -> Iterator[int]:
    """Listen with a queue that is full, so that further packets are dropped, as a firewall does."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            link = stack.enter_context(socket.socket())
            link.setblocking(False)
            link.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


@pytest.fixture(scope="module")
def engine(node: Node) -> Iterator[SshEngine]:
    with SshEngine(node.server.destination, node.server.options()) as opened:
        yield opened


@pytest.mark.parametrize("tool", ["openssl", "python3", "curl"])
def test_every_tool_verifies_chain_and_name(engine: SshEngine, ports: Ports, tool: str) -> None:
    def outcome(name: str, port: int) -> str:
        address = Address(name, port)
        return probes._probe(engine, probes._tls(tool, address), address, tool).outcome

    assert outcome(NAME, ports.good) == "ok"
    assert outcome("other.internal", ports.good) == "untrusted"  # the certificate is for another name
    assert outcome("127.0.0.1", ports.good) == "untrusted"
    assert outcome(NAME, ports.untrusted) == "untrusted"
    assert outcome(NAME, ports.expired) == "untrusted"
    assert outcome(NAME, ports.closed) == ("failed" if tool == "curl" else "refused")
    assert outcome("nonesuch.internal", 443) == "unresolved"


@pytest.mark.parametrize("tool", ["bash", "python3"])
def test_every_tool_tells_an_answer_from_silence(engine: SshEngine, ports: Ports, tool: str) -> None:
    def outcome(name: str, port: int) -> str:
        address = Address(name, port)
        return probes._probe(engine, probes._tcp(tool, address), address, tool).outcome

    assert outcome("127.0.0.1", ports.good) == "ok"
    assert outcome(NAME, ports.closed) == "refused"
    assert outcome(NAME, ports.silent) == "failed"
    assert outcome("nonesuch.internal", 443) == "unresolved"


def judge(node: Node, tmp_path: Path, live: str, *, user: str = "root") -> Report:
    policy = tmp_path / "policy.yaml"
    policy.write_text(f"version: 1\nname: of-a-node\nlive:\n{live}")
    running = node.server.as_user(user)
    return validate(running.url, load_policy(str(policy)), ssh=running.options())


def of(report: Report, check: str) -> dict[str, Result]:
    return {result.finding.subject: result for result in report.results if result.check == check}


def test_the_report_tells_what_the_node_reaches(node: Node, ports: Ports, tmp_path: Path) -> None:
    live = (
        f'  tls: ["{NAME}:{ports.good}", "{NAME}:{ports.untrusted}"]\n'
        f'  egress:\n    allowed: ["{NAME}:{ports.good}"]\n'
        f'    blocked: ["{NAME}:{ports.silent}", "{NAME}:{ports.untrusted}", "nonesuch.internal:443"]\n'
    )
    report = judge(node, tmp_path, live)
    assert report.exit_status() == 3
    tls = of(report, "live-tls")
    assert tls[f"{NAME}:{ports.good}"].status is Status.PASS
    failed = tls[f"{NAME}:{ports.untrusted}"]
    assert failed.status is Status.FAIL
    assert "does not verify on the node: " in failed.finding.message
    assert {subject: str(result.status) for subject, result in of(report, "live-egress").items()} == {
        f"{NAME}:{ports.good}": "pass",
        f"{NAME}:{ports.silent}": "pass",
        f"{NAME}:{ports.untrusted}": "fail",
        "nonesuch.internal:443": "error",
    }


def test_the_node_says_what_it_has(node: Node, tmp_path: Path) -> None:
    live = (
        "  disk: {free: 1 MiB}\n  clock: {max_offset: 2}\n  min_entropy: 1\n"
        "  modules: {required: [nonesuch]}\n  failed_units: {}\n"
    )
    report = judge(node, tmp_path, live)
    (space,) = of(report, "live-disk").values()
    assert (space.status, space.finding.subject) == (Status.PASS, "/")
    (clock,) = of(report, "live-clock").values()
    assert clock.status is Status.PASS, clock
    (entropy,) = of(report, "live-entropy").values()
    assert entropy.status is Status.PASS
    (modules,) = of(report, "live-modules").values()
    assert modules.status in (Status.FAIL, Status.ERROR)  # the node has no list of what is built in
    (units,) = of(report, "live-units").values()
    assert units.status is Status.ERROR  # in a chroot, nobody answers for systemd


def test_engines_are_asked_as_root_or_not_at_all(node: Node, tmp_path: Path) -> None:
    live = "  container_engine: [podman]\n"
    for user, status in (("guest", Status.SKIP), ("zuul", None), ("root", None)):
        (finding,) = of(judge(node, tmp_path, live, user=user), "live-engine").values()
        assert status is None or finding.status is status
        assert (finding.status is Status.SKIP) == (user == "guest"), finding


def test_the_running_system_answers_as_a_node_does() -> None:
    with DirectoryEngine(Path("/"), live=True) as engine:
        done = engine.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=10)
        assert (done.status, done.stdout, done.stderr) == (3, "out\n", "err\n")
        assert engine.run(["nonesuch"], timeout=10).status == 127
