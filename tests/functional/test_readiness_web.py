"""Folders that are served, and the log server, against a real nginx: once green, and once red for each way to fail."""

import contextlib
import datetime
import gzip
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from diskimage_validator.readiness.document import load_factory
from diskimage_validator.readiness.runner import check_readiness
from tests.elements.pki import DAY, Issued, make_ca, make_server
from tests.functional.ports import free_port
from tests.functional.readiness_lab import Outcome, TlsServer, nginx, presenting, readiness
from tests.support.sshd import serve

RECAP = "PLAY RECAP: node.internal ok=7"
STALE = "open_file_cache max=99 inactive=60s; open_file_cache_valid 60s; open_file_cache_errors on;"
"""What nginx may keep of the folder: also that a file was not there."""


@dataclass(frozen=True)
class Lab:
    """A folder and its servers by name; ``root`` is the CA of the bundle."""

    folder: Path
    root: Issued
    ports: dict[str, int]

    @property
    def served(self) -> Path:
        return self.folder / "served"

    def url(self, server: str, path: str = "") -> str:
        return f"https://127.0.0.1:{self.ports[server]}/{path}"

    def check(self, folder: Path, **services: Any) -> Outcome:
        certificates = {"bundle": str(self.folder / "root.pem")}
        return readiness(folder, services=services, certificates=certificates, limits={"timeout": 2})

    def bad_page(self, folder: Path, path: str, **page: Any) -> str:
        outcome = self.check(folder, logs=[{"url": self.url("good", path), **page}])
        assert set(outcome.bad()) <= {"log-server"}
        return outcome.bad().get("log-server", "")

    def write_to(self, server: str, folder: Path, **more: Any) -> Outcome:
        place = {"url": self.url(server, "logs"), "path": str(self.served / "logs"), "seconds": 1, **more}
        outcome = self.check(folder, web_paths=[place])
        assert list((self.served / "logs").glob("readiness-*")) == []
        return outcome


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("web")
    root = make_ca("Web root")
    (folder / "root.pem").write_bytes(root.cert_pem)
    logs, other = folder / "served" / "logs", folder / "served" / "other"
    for path in (folder, folder.parent, logs, other):
        path.mkdir(parents=True, exist_ok=True)
    (logs / "job-output.txt").write_text(f"{RECAP}\n")
    (logs / "job-output.txt.gz").write_bytes(gzip.compress(RECAP.encode()))
    (logs / "broken.gz").write_bytes(b"no gzip")
    (logs / "bomb.gz").write_bytes(gzip.compress(b"\0" * 50_000_000))
    gz = "location ~ [.]gz$ { types { } default_type text/plain; add_header Content-Encoding gzip; }"
    listed = f"location /served/ {{ root {folder}; autoindex on; }}"
    settings = f"root {folder}/served; location /logs {{ {gz} }} {listed} location /away {{ return 302 /logs/; }}"
    server = make_server(root, ["127.0.0.1"])
    now = datetime.datetime.now(datetime.UTC)
    expired = make_server(root, ["127.0.0.1"], now - 30 * DAY, now - DAY)
    servers: dict[str, TlsServer] = {
        "good": presenting(server, settings=settings),
        "expired": presenting(expired, settings=settings),
        "foreign": presenting(make_server(make_ca("Other root"), ["127.0.0.1"]), settings=settings),
        "named": presenting(make_server(root, ["logs.internal"]), settings=settings),
        "elsewhere": presenting(server, settings=f"location /logs {{ alias {other}; }}"),
        "stale": presenting(server, settings=f"location /logs {{ root {folder}/served; {STALE} }}"),
        "always": presenting(server, settings="location /logs { return 200 'welcome'; }"),
    }
    with nginx(folder, servers) as ports:
        yield Lab(folder, root, ports)


def test_a_folder_is_served(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.write_to("good", tmp_path)
    assert outcome.bad() == {}
    assert outcome.asked() == {"web-path"} | {check for check in outcome.asked() if check.startswith("tls-")}
    ((subject, status, message),) = outcome.of("web-path")
    assert (subject, status) == (lab.url("good", "logs"), "pass")
    assert message.startswith("served after 0.")


@pytest.mark.parametrize(
    ("server", "message"),
    [
        ("elsewhere", "the file is not served: HTTP status 404, as before it was written, "),
        ("stale", "the file is not served: HTTP status 404, as before it was written, "),
        ("always", "something else is served: what every name gets, "),
        ("expired", "its certificate does not verify: certificate has expired"),
        ("foreign", "its certificate does not verify: unable to get "),
        ("named", "its certificate does not verify: IP address mismatch"),
    ],
)
def test_a_folder_that_is_not_served(lab: Lab, tmp_path: Path, server: str, message: str) -> None:
    outcome = lab.write_to(server, tmp_path)
    assert set(outcome.bad()) == {"web-path"}
    assert message in outcome.bad()["web-path"]
    assert outcome.status == 1


def test_a_folder_that_cannot_be_written_to(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.write_to("good", tmp_path, path="/proc/self")
    assert outcome.bad()["web-path"].startswith("cannot write into /proc/self: ")
    assert len(outcome.of("web-path")) == 1


def test_a_folder_of_a_node(lab: Lab, tmp_path: Path) -> None:
    """This host is the node."""
    (tmp_path / "sshd").mkdir()
    with serve(tmp_path / "sshd") as server:
        place = {"url": lab.url("good", "logs"), "path": str(lab.served / "logs"), "node": server.url}
        document = {"version": 1, "name": "node", "services": {"web_paths": [place, {**place, "path": "/nowhere"}]}}
        document["certificates"] = {"bundle": str(lab.folder / "root.pem")}
        (tmp_path / "factory.yaml").write_text(yaml.safe_dump(document))
        report = check_readiness(load_factory(tmp_path / "factory.yaml"), ssh=server.options())
    served, closed = (one for one in report.results if one.check == "web-path")
    assert served.finding.message.startswith("served after 0.")
    assert closed.finding.message.startswith("cannot write into /nowhere: ")
    assert list((lab.served / "logs").glob("readiness-*")) == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_nothing(lab: Lab, tmp_path: Path, number: signal.Signals, status: int) -> None:
    place = {"url": lab.url("elsewhere", "logs"), "path": str(lab.served / "logs"), "seconds": 100}
    document = {"version": 1, "name": "ends", "services": {"web_paths": [place]}}
    document["certificates"] = {"bundle": str(lab.folder / "root.pem")}
    (tmp_path / "factory.yaml").write_text(yaml.safe_dump(document))
    command = [sys.executable, "-m", "diskimage_validator", "readiness", str(tmp_path / "factory.yaml"), "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            deadline = time.monotonic() + 20
            while not list((lab.served / "logs").glob("readiness-*")):
                assert time.monotonic() < deadline, "nothing was written"
                time.sleep(0.02)
            process.send_signal(number)
            said = process.communicate(timeout=20)[1]
        finally:
            process.kill()
    assert process.returncode == status
    assert b"Traceback" not in said
    assert list((lab.served / "logs").glob("readiness-*")) == []


def test_logs_are_there(lab: Lab, tmp_path: Path) -> None:
    pages = [
        {"url": lab.url("good", "logs/job-output.txt"), "text": "PLAY RECAP", "content_type": "text/plain"},
        {"url": lab.url("good", "logs/job-output.txt.gz"), "text": RECAP, "content_type": "text/plain", "gzip": True},
        {"url": lab.url("good", "served/logs/"), "listing": True},
        {"url": lab.url("good", "logs/"), "status": 403, "listing": False},
        {"url": lab.url("good", "away"), "status": 302},
        {"url": lab.url("good", "logs/bomb.gz")},
    ]
    outcome = lab.check(tmp_path, logs=pages)
    assert outcome.bad() == {}
    assert outcome.of("log-server")[1][2] == "answers HTTP status 200, text/plain, gzip"


@pytest.mark.parametrize(
    ("path", "page", "message"),
    [
        ("logs/none.txt", {}, "answers HTTP status 404"),
        ("logs/", {}, "answers HTTP status 403"),
        ("away", {}, "answers HTTP status 302, to https://127.0.0.1:"),
        ("logs/job-output.txt", {"text": "FAILED"}, "the text 'FAILED' is not in it"),
        ("logs/job-output.txt", {"gzip": True}, "is sent without 'Content-Encoding: gzip'"),
        ("logs/job-output.txt", {"content_type": "text/html"}, "is sent as text/plain, and not as text/html"),
        ("logs/job-output.txt", {"listing": True}, "does not list the folder"),
        ("served/logs/", {"listing": False}, "lists the folder"),
        ("logs/broken.gz", {}, "'Content-Encoding: gzip', and what comes is not: "),
        ("logs/bomb.gz", {"text": "log"}, "the text 'log' is not in it"),
    ],
)
def test_logs_that_are_not_there(lab: Lab, tmp_path: Path, path: str, page: dict[str, Any], message: str) -> None:
    assert message in lab.bad_page(tmp_path, path, **page)


@contextlib.contextmanager
def speaking(lab: Lab, speak: Callable[[ssl.SSLSocket], None]) -> Iterator[str]:
    """A TLS server that does ``speak`` with the first client, after its request; give its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.folder / "good.crt", lab.folder / "good.key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve_one() -> None:
            with contextlib.suppress(OSError):
                link, _ = listener.accept()
                link.settimeout(5)
                with context.wrap_socket(link, server_side=True) as tls:
                    tls.recv(4096)
                    speak(tls)

        listener.settimeout(5)
        thread = threading.Thread(target=serve_one)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(10)
        assert not thread.is_alive()


def dripping(tls: ssl.SSLSocket) -> None:
    for _ in range(100):
        tls.sendall(b"H")
        time.sleep(0.1)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: "


@pytest.mark.parametrize(
    ("speak", "message"),
    [
        (lambda tls: tls.recv(1), "silent, no whole answer within 1 s"),
        (dripping, "silent, no whole answer within 1 s"),
        (lambda tls: tls.sendall(HEAD + b"9\r\n\r\nhalf") or tls.recv(1), "silent, no whole answer within 1 s"),
        (lambda tls: tls.sendall(HEAD + b"9\r\n\r\nhalf"), "the answer ends too early"),
        (lambda tls: None, "closes the connection instead of an answer"),
        (lambda tls: tls.sendall(b"SSH-2.0-\x1b[2J\r\n"), "what answers does not speak HTTP: "),
        (lambda tls: tls.sendall(HEAD[:17] + b"X: y\r\n" * 200 + b"\r\n"), "what answers does not speak HTTP: "),
    ],
)
def test_silence_and_rubbish_are_no_answers(
    lab: Lab, tmp_path: Path, speak: Callable[[ssl.SSLSocket], None], message: str
) -> None:
    certificates = {"bundle": str(lab.folder / "root.pem")}
    with speaking(lab, speak) as url:
        services, timeout = {"logs": [{"url": url}]}, 1 if "1 s" in message else 10
        outcome = readiness(tmp_path, services=services, certificates=certificates, limits={"timeout": timeout})
    assert message in outcome.bad()["log-server"]
    assert "\x1b" not in outcome.bad()["log-server"]


def test_one_dead_server_does_not_hide_the_other(lab: Lab, tmp_path: Path) -> None:
    dead = f"https://127.0.0.1:{free_port()}/"
    outcome = lab.check(tmp_path, logs=[{"url": dead}, {"url": lab.url("good", "logs/job-output.txt")}])
    assert [(status, message) for _, status, message in outcome.of("log-server")] == [
        ("fail", f"{dead[8:-1]}: no connection to 127.0.0.1: refused, nobody listens there"),
        ("pass", "answers HTTP status 200, text/plain"),
    ]
