"""The line Certificates, against real servers: once green, and once red for each way to fail."""

import contextlib
import datetime
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from diskimage_validator.cli import run
from tests.elements.pki import DAY, Issued, make_ca, make_server
from tests.functional.conftest import BuiltImage
from tests.functional.ports import free_port
from tests.functional.readiness_lab import Outcome, TlsServer, dnsmasq, nginx, presenting, readiness
from tests.functional.registry import registry
from tests.support import chains

NAME = "registry.internal"
OLD = "ssl_protocols TLSv1 TLSv1.2; ssl_ciphers ALL:@SECLEVEL=0;"


@dataclass(frozen=True)
class Lab:
    """All servers, their ports, and the CAs: the root is the trusted bundle, of which the issuer is not a part."""

    folder: Path
    ports: dict[str, int]
    root: Issued
    issuer: Issued

    def check(self, server: str, folder: Path, **more: Any) -> Outcome:
        """Check one server as the registry of a factory; ``more`` is for its endpoint."""
        endpoint = {"name": NAME, "port": self.ports[server], "addresses": ["127.0.0.1"], **more}
        return readiness(folder, endpoints=[endpoint], certificates=self.certificates)

    @property
    def certificates(self) -> dict[str, Any]:
        return {"bundle": str(self.folder / "root.pem")}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("tls")
    now = TODAY  # what the tests expect of them is of that day, also if it ends meanwhile
    root = make_ca("Readiness root", key=None)
    issuer = make_ca("Readiness issuer", issuer=root)
    (folder / "root.pem").write_bytes(root.cert_pem)
    good = make_server(issuer, [NAME])
    valid = (now - DAY, now + 100 * DAY)
    signer = chains.Made(issuer.cert, issuer.key)
    weak = chains.server(signer, NAME, kind="rsa1024", valid=valid)
    client_ca = f"ssl_client_certificate {folder}/root.pem; ssl_verify_depth 3; "
    servers = {
        "good": presenting(good, issuer),
        "expired": presenting(make_server(issuer, [NAME], now - 9 * DAY, now - 2 * DAY), issuer),
        "soon": presenting(make_server(issuer, [NAME], None, now + 10 * DAY), issuer),
        "other-name": presenting(make_server(issuer, ["other.internal"]), issuer),
        "alone": presenting(good),
        "stranger": presenting(make_server(make_ca("Another root"), [NAME])),
        "weak": TlsServer([weak.pem, issuer.cert_pem], weak.key_pem, OLD),
        "old": presenting(good, issuer, settings=OLD),
        "asking": presenting(good, issuer, settings=f"{client_ca} ssl_verify_client on;"),
    }
    with nginx(folder, servers) as ports:
        yield Lab(folder, ports, root, issuer)


def test_everything_is_as_it_should_be(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check("good", tmp_path)
    assert outcome.bad() == {}
    assert outcome.status == 0
    subject = f"{NAME}:{lab.ports['good']} at 127.0.0.1"
    assert outcome.of("tls-chain") == [
        (subject, "pass", f"verifies: CN={NAME} < CN=Readiness issuer < CN=Readiness root")
    ]
    assert outcome.of("tls-strength") == [(subject, "pass", "EC key, secp256r1, TLSv1.3, and nothing older")]


TODAY = datetime.datetime.now(datetime.UTC)


@pytest.mark.parametrize(
    ("server", "checks", "said"),
    [
        ("expired", {"tls-chain", "tls-expiry"}, f"the server's certificate expired on {TODAY - 2 * DAY:%Y-%m-%d}"),
        ("other-name", {"tls-chain"}, f"the server's certificate is for other.internal, and not for {NAME}"),
        ("alone", {"tls-chain"}, f"CN=Readiness issuer, the issuer of CN={NAME}, is neither presented nor in the"),
        ("stranger", {"tls-chain"}, f"CN=Another root, the issuer of CN={NAME}, is neither presented nor in the"),
        ("weak", {"tls-chain", "tls-strength"}, "the key of the server's certificate is too weak: RSA of 1024 bits"),
    ],
)
def test_bad_chains_are_told_with_their_reason(
    lab: Lab, tmp_path: Path, server: str, checks: set[str], said: str
) -> None:
    outcome = lab.check(server, tmp_path)
    assert set(outcome.bad()) == checks
    assert outcome.bad()["tls-chain"].startswith(said)
    assert outcome.status == 1


def test_a_certificate_that_ends_soon(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check("soon", tmp_path)
    assert list(outcome.bad()) == ["tls-expiry"]
    assert outcome.bad()["tls-expiry"].startswith(f"CN={NAME} is valid for 9 days, until ")


def test_old_protocols_and_weak_keys(lab: Lab, tmp_path: Path) -> None:
    assert lab.check("old", tmp_path).bad() == {"tls-strength": "it also takes TLSv1, older than TLSv1.2"}
    weak = lab.check("weak", tmp_path).bad()["tls-strength"]
    assert weak.startswith(f"CN={NAME}: its RSA key is too small (RSA key, 1024 bits); it also takes TLSv1, older")


def test_tls_1_2_may_be_too_old_as_well(lab: Lab, tmp_path: Path) -> None:
    section = {**lab.certificates, "min_protocol": "TLSv1.3"}
    endpoint = {"name": NAME, "port": lab.ports["good"], "addresses": ["127.0.0.1"]}
    outcome = readiness(tmp_path, endpoints=[endpoint], certificates=section)
    assert outcome.bad() == {"tls-strength": "it also takes TLSv1.2, older than TLSv1.3"}


def test_dead_and_deaf_ports_do_not_hide_the_others(lab: Lab, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        ports = [lab.ports["good"], free_port(), deaf.getsockname()[1]]
        endpoints = [{"name": NAME, "port": port, "addresses": ["127.0.0.1"]} for port in ports]
        outcome = readiness(tmp_path, endpoints=endpoints, certificates=lab.certificates, limits={"timeout": 1})
    found = outcome.of("tls-chain")
    assert [status for _, status, _ in found] == ["pass", "fail", "fail"]
    assert found[1][2].endswith("presented no certificate: Connection refused")
    assert found[2][2].endswith("did not finish a TLS handshake within 1 s")
    assert [status for _, status, _ in outcome.of("tls-expiry")] == ["pass", "skip", "skip"]
    assert outcome.status == 1


def test_without_addresses_the_internal_resolver_says_where(lab: Lab, tmp_path: Path) -> None:
    endpoints = [{"name": name, "port": lab.ports["good"]} for name in (NAME, "mirror.internal")]
    with dnsmasq(f"--host-record={NAME},127.0.0.1") as resolver:
        outcome = readiness(tmp_path, endpoints=endpoints, certificates=lab.certificates, dns={"resolvers": [resolver]})
    assert [status for _, status, _ in outcome.of("tls-chain")] == ["pass", "fail"]
    assert outcome.of("tls-chain")[1][2] == f"mirror.internal does not resolve ({resolver}: REFUSED)"


@dataclass(frozen=True)
class Client:
    """The certificate and the key that a client shows."""

    folder: Path
    issued: Issued

    def section(self, key: str = "file:client.key") -> dict[str, str]:
        (self.folder / "client.pem").write_bytes(self.issued.cert_pem)
        (self.folder / "client.key").write_bytes(self.issued.key_pem)
        return {"certificate": "client.pem", "key": key}


@pytest.fixture
def client(lab: Lab, tmp_path: Path) -> Client:
    made = chains.server(chains.Made(lab.root.cert, lab.root.key), "client", usage=[chains.CLIENT], valid=_valid())
    return Client(tmp_path, Issued(made.cert, made.key))  # type: ignore[arg-type]


def _valid() -> chains.Validity:
    return TODAY - DAY, TODAY + 100 * DAY


def test_mutual_tls_of_a_web_server(lab: Lab, tmp_path: Path, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = lab.check("asking", tmp_path, client=client.section())
    assert outcome.bad() == {}
    assert outcome.of("tls-mutual")[0][2] == "with: HTTP status 204; without: HTTP status 400"
    monkeypatch.setenv("CLIENT_KEY", client.issued.key_pem.decode())
    assert lab.check("asking", tmp_path, client=client.section("env:CLIENT_KEY")).bad() == {}


def test_a_client_that_is_refused_and_a_server_that_does_not_ask(lab: Lab, tmp_path: Path, client: Client) -> None:
    unknown = chains.server(chains.authority("Unknown CA", valid=_valid()), "client", usage=[chains.CLIENT])
    refused = Client(tmp_path, Issued(unknown.cert, unknown.key))  # type: ignore[arg-type]
    bad = lab.check("asking", tmp_path, client=refused.section()).bad()
    assert bad == {"tls-mutual": "refuses the client's certificate: HTTP status 400"}
    bad = lab.check("good", tmp_path, client=client.section()).bad()
    assert bad == {"tls-mutual": "needs no certificate: HTTP status 204"}


def test_mutual_tls_is_not_tried_with_a_server_that_does_not_verify(lab: Lab, tmp_path: Path, client: Client) -> None:
    outcome = lab.check("alone", tmp_path, client=client.section())
    assert outcome.bad()["tls-mutual"].startswith("could not tell: its certificate does not verify: ")
    assert outcome.status == 3


@pytest.mark.parametrize("http", [True, False])
def test_mutual_tls_that_is_refused_in_the_handshake(lab: Lab, tmp_path: Path, client: Client, http: bool) -> None:
    server = make_server(lab.root, [NAME])
    with registry(tmp_path / "registry", server, lab.root, clients=lab.folder / "root.pem") as running:
        endpoint = {"name": NAME, "port": running.port, "addresses": ["127.0.0.1"], "http": http}
        sections = {"certificates": lab.certificates, "limits": {"timeout": 1}}
        outcome = readiness(tmp_path, endpoints=[{**endpoint, "client": client.section()}], **sections)
    assert outcome.bad() == {}
    with_it = "HTTP status 200" if http else "the connection stays open"
    message = outcome.of("tls-mutual")[0][2]
    assert message.startswith(f"with: {with_it}; without: TLS: ")
    assert "alert" in message


def test_a_key_never_reaches_a_report(
    lab: Lab, tmp_path: Path, client: Client, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLIENT_KEY", "hunter2-is-no-key")
    outcome = lab.check("asking", tmp_path, client=client.section("env:CLIENT_KEY"))
    assert outcome.bad()["tls-mutual"].startswith("client certificate client.pem and key env:CLIENT_KEY: ")
    assert outcome.status == 3
    monkeypatch.delenv("CLIENT_KEY")
    outcome = lab.check("asking", tmp_path, client=client.section("env:CLIENT_KEY"))
    assert outcome.bad() == {"tls-mutual": "env:CLIENT_KEY: the environment has no such variable"}
    assert "hunter2" not in (tmp_path / "readiness.json").read_text() + "".join(capfd.readouterr())


def test_reports_for_people_say_what_was_tried_and_when(lab: Lab, tmp_path: Path) -> None:
    lab.check("expired", tmp_path)
    outputs = {name: tmp_path / f"report.{name}" for name in ("text", "junit", "html")}
    reports = [f"--report={name}={path}" for name, path in outputs.items()]
    assert run(["readiness", str(tmp_path / "factory.yaml"), "--output", "/dev/null", "--quiet", *reports]) == 1
    for path in outputs.values():
        assert f"TLS handshakes as {NAME}, by default and older than TLSv1.2" in path.read_text()


def test_the_image_has_the_bundle_and_accepts_the_endpoint(
    node_image: BuiltImage, authority: Issued, lab: Lab, tmp_path: Path
) -> None:
    """The same server is good for an image that has its CA; another bundle is not the one that was baked."""
    server = presenting(make_server(authority, [NAME]))
    with nginx(tmp_path, {"baked": server}) as ports:
        endpoints = [
            {"name": NAME, "port": port, "addresses": ["127.0.0.1"]} for port in (ports["baked"], lab.ports["good"])
        ]
        image = {"images": [str(node_image.path)]}
        right = readiness(
            tmp_path, endpoints=endpoints[:1], certificates={"bundle": str(node_image.authority), **image}
        )
        wrong = readiness(tmp_path, endpoints=endpoints[1:], certificates={**lab.certificates, **image})
    assert right.bad() == {}
    assert [status for _, status, _ in [*right.of("tls-baked"), *right.of("tls-image")]] == ["pass", "pass"]
    assert set(wrong.bad()) == {"tls-baked", "tls-image"}
    assert wrong.bad()["tls-baked"].startswith("neither in the generated bundle nor among the local anchors")
    assert "CN=Readiness root, the issuer of CN=Readiness issuer, is neither presented" in wrong.bad()["tls-image"]


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_ends_at_once_and_leaves_nothing(lab: Lab, tmp_path: Path, sent: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        endpoint = {"name": NAME, "port": deaf.getsockname()[1], "addresses": ["127.0.0.1"]}
        document = {"version": 1, "name": "test", "endpoints": [endpoint], "certificates": lab.certificates}
        (tmp_path / "factory.yaml").write_text(yaml.safe_dump({**document, "limits": {"timeout": 300}}))
        command = [sys.executable, "-m", "diskimage_validator", "readiness", str(tmp_path / "factory.yaml")]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        link, _ = deaf.accept()
        running.send_signal(sent)
        assert running.communicate(timeout=20)[0] == b""
        assert running.returncode in (130, 143)
        link.settimeout(20)
        with link, contextlib.suppress(ConnectionResetError):
            while link.recv(4096):  # the connection ends when the program that made it does
                pass
