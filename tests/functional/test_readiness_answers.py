"""What becomes of a web service that answers otherwise than it should: each way is told from the others, in time."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.elements.pki import DAY, make_ca, make_server
from tests.functional.ports import free_port
from tests.functional.readiness_lab import Outcome, dnsmasq, nginx, presenting, readiness

NAME = "zuul.internal"
PATIENT = {"timeout": 20}
ANSWERS = """
        default_type application/json;
        location /good/ { return 200 '{"web": [{"hostname": "zw01", "state": "running", "version": "14.3.0"}]}'; }
        location /broken/ { return 500; }
        location /gone/ { return 404; }
        location /closed/ { return 401; }
        location /elsewhere/ { return 302 https://192.0.2.1/login; }
        location /page/ { default_type text/html; return 200 '<!DOCTYPE html><title>Zuul</title>'; }
        location /cut/ { return 200 '{"web": [{"hostname"'; }
        location /list/ { return 200 '[]'; }
        location /types/ { return 200 '{"web": [{"hostname": 7, "state": "running"}]}'; }
        location /deep/ { try_files /deep.json =404; }
        location /many/ { try_files /many.json =404; }
        location /huge/ { try_files /huge.json =404; }
        location /escape/ { return 200 '{"web": [{"hostname": "\\u001b[2Jzw01", "state": "paused"}]}'; }
        location /secret/ {
            if ($http_authorization != "Bearer s3cret.jwt") { return 401; }
            return 200 '{"web": [{"hostname": "zw01", "state": "running", "version": "14.3.0"}]}';
        }
"""


@dataclass(frozen=True)
class Lab:
    """``ports`` of the servers by name; the bundle has the CA of all but ``stranger``."""

    folder: Path
    ports: dict[str, int]

    def check(self, folder: Path, url: str, **more: Any) -> Outcome:
        zuul = {"url": url, "components": {"web": 1}, **more.pop("zuul", {})}
        bundle = {"bundle": str(self.folder / "root.pem")}
        return readiness(folder, services={"zuul": [zuul]}, certificates=bundle, **{"limits": PATIENT, **more})

    def url(self, path: str = "", server: str = "good") -> str:
        return f"https://127.0.0.1:{self.ports[server]}{path}"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("answers")
    root = make_ca("Readiness root")
    (folder / "root.pem").write_bytes(root.cert_pem)
    (folder / "huge.json").write_text(json.dumps({"web": ["x" * 100] * 50_000}))
    (folder / "many.json").write_text(f"[{'1,' * 2_000_000}1]")
    (folder / "deep.json").write_text("[" * 100_000)
    names = ["127.0.0.1", NAME]
    servers = {
        "good": presenting(make_server(root, names), settings=ANSWERS),
        "stranger": presenting(make_server(make_ca("Another root"), names), settings=ANSWERS),
        "expired": presenting(make_server(root, names, not_after=root.cert.not_valid_before_utc + DAY / 2)),
        "other-name": presenting(make_server(root, ["other.internal"])),
    }
    with nginx(folder, servers) as ports:
        yield Lab(folder, ports)


def test_the_good_one_passes(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(tmp_path, lab.url("/good"))
    assert outcome.bad() == {}
    assert outcome.of("zuul-components") == [(f"web of {lab.url('/good')}", "pass", "1 running (zw01)")]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("/broken", "answers HTTP status 500"),
        ("/gone", "answers HTTP status 404"),
        ("/closed", "answers HTTP status 401"),
        ("/elsewhere", "answers HTTP status 302, to https://192.0.2.1/login"),
        ("/page", "answers with something else than JSON (Content-Type text/html)"),
        ("/cut", "answers with something else than JSON (Content-Type application/json)"),
        ("/deep", "answers with something else than JSON (Content-Type application/json)"),
        ("/list", "answers with other JSON than is expected: it: Input should be an object"),
        ("/types", "answers with other JSON than is expected: web.0.hostname: Input should be a valid string"),
        ("/huge", "answers with more than 4 MiB"),
        ("/many", "answers with more than 200000 values"),
        ("/escape", "0 running, \\x1b[2Jzw01 is paused; 1 wanted"),
    ],
)
def test_wrong_answers(lab: Lab, tmp_path: Path, url: str, said: str) -> None:
    outcome = lab.check(tmp_path, lab.url(url))
    assert outcome.bad()["zuul-components"] == said
    assert outcome.status == 1


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ("stranger", "its certificate does not verify: unable to get local issuer certificate"),
        ("expired", "its certificate does not verify: certificate has expired"),
        (
            "other-name",
            "its certificate does not verify: IP address mismatch, certificate is not valid for '127.0.0.1'.",
        ),
    ],
)
def test_certificates_that_do_not_verify(lab: Lab, tmp_path: Path, server: str, said: str) -> None:
    assert lab.check(tmp_path, lab.url("/good", server)).bad() == {"zuul-components": said}


def test_plain_http_where_tls_is_meant_and_the_other_way_round(lab: Lab, tmp_path: Path) -> None:
    bad = lab.check(tmp_path, lab.url("/good").replace("https", "http")).bad()
    assert bad == {"zuul-components": "answers HTTP status 400"}
    with talking(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert lab.check(tmp_path, f"https://127.0.0.1:{port}").bad() == {
            "zuul-components": "TLS: wrong version number"
        }


def test_names_come_from_the_internal_resolvers(lab: Lab, tmp_path: Path) -> None:
    with dnsmasq(f"--host-record={NAME},127.0.0.1") as resolver:
        url, dns = f"https://{NAME}:{lab.ports['good']}/good", {"resolvers": [resolver]}
        assert lab.check(tmp_path, url, dns=dns).bad() == {}
        bad = lab.check(tmp_path, url.replace(NAME, "git.internal"), dns=dns).bad()
    assert bad == {"zuul-components": f"git.internal does not resolve ({resolver}: REFUSED)"}


@pytest.fixture
def mute() -> Iterator[str]:
    """A resolver that hears everything and says nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("first", ["mute", "good"])
def test_a_silent_resolver_takes_no_time_from_the_other(lab: Lab, tmp_path: Path, mute: str, first: str) -> None:
    with dnsmasq(f"--host-record={NAME},127.0.0.1") as good:
        dns = {"resolvers": [mute, good] if first == "mute" else [good, mute]}
        outcome = lab.check(tmp_path, f"https://{NAME}:{lab.ports['good']}/good", dns=dns, limits={"timeout": 2})
    assert outcome.bad() == {}


def test_where_no_resolver_has_the_name_each_is_told(lab: Lab, tmp_path: Path, mute: str) -> None:
    with dnsmasq() as refusing:
        dns = {"resolvers": [mute, refusing]}
        bad = lab.check(tmp_path, f"https://{NAME}:1/", dns=dns, limits={"timeout": 1}).bad()
    said = f"{mute}: no answer: {mute} was silent for 1 s; {refusing}: REFUSED"
    assert bad == {"zuul-components": f"{NAME} does not resolve ({said})"}


def test_nobody_listens(lab: Lab, tmp_path: Path) -> None:
    bad = lab.check(tmp_path, f"https://127.0.0.1:{free_port()}").bad()
    assert bad == {"zuul-components": "no connection to 127.0.0.1: refused, nobody listens there"}


def test_a_dead_service_hides_no_other(lab: Lab, tmp_path: Path) -> None:
    urls = [f"https://127.0.0.1:{free_port()}", lab.url("/good")]
    services = {"zuul": [{"url": url, "components": {"web": 1}} for url in urls]}
    outcome = readiness(
        tmp_path, services=services, certificates={"bundle": str(lab.folder / "root.pem")}, limits=PATIENT
    )
    assert {status for _, status, _ in outcome.of("zuul-components")} == {"pass", "fail"}
    assert {status for _, status, _ in outcome.of("zuul-versions")} == {"pass", "skip"}


@contextlib.contextmanager
def talking(*parts: bytes, pause: float = 0.0) -> Iterator[int]:
    """Send ``parts`` to everybody, whatever they want, with a ``pause`` between two; give the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    link, _ = server.accept()
                    with link, contextlib.suppress(OSError):
                        link.settimeout(20)
                        link.recv(4096)
                        for part in parts:
                            link.sendall(part)
                            time.sleep(pause)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(20)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_silence_and_drops_end_in_time(lab: Lab, tmp_path: Path, scheme: str) -> None:
    """Headers that come a byte at a time are what time limits of sockets do not end."""
    slow = (
        [b"HTTP/1.1 200 OK\r\nX-Slow: ", *[b"x"] * 100]
        if scheme == "http"
        else [b"\x16\x03\x03\x40\x00", *[b"x"] * 100]
    )
    with socket.create_server(("127.0.0.1", 0)) as deaf, talking(*slow, pause=0.1) as dripping:
        for port in (deaf.getsockname()[1], dripping):
            started = time.monotonic()
            bad = lab.check(tmp_path, f"{scheme}://127.0.0.1:{port}", limits={"timeout": 1}).bad()
            assert bad == {"zuul-components": "silent, no whole answer within 1 s"}
            assert time.monotonic() - started < 4


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "what answers does not speak HTTP: SSH-2.0-OpenSSH_9.2\\r\\n"),
        (b"", "closes the connection instead of an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{", "the answer ends too early"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200, "what answers does not speak HTTP: got more than 100 headers"),
    ],
)
def test_what_is_no_http(lab: Lab, tmp_path: Path, answer: bytes, said: str) -> None:
    with talking(answer) as port:
        assert lab.check(tmp_path, f"http://127.0.0.1:{port}").bad() == {"zuul-components": said}


def test_a_token_is_sent_over_tls_only_and_never_told(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    token = {"token": "env:ZUUL_TOKEN"}
    monkeypatch.setenv("ZUUL_TOKEN", "s3cret.jwt\n")
    assert lab.check(tmp_path, lab.url("/secret"), zuul=token).bad() == {}
    monkeypatch.setenv("ZUUL_TOKEN", "s3cret\nX-Other: header")
    assert (
        lab.check(tmp_path, lab.url("/secret"), zuul=token).bad()["zuul-versions"]
        == "env:ZUUL_TOKEN: not one line of text"
    )
    assert "s3cret" not in (tmp_path / "readiness.json").read_text() + "".join(capfd.readouterr())
