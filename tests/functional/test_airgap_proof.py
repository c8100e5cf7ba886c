"""The air gap that a command runs in: what passes, what is refused, what is written down, and that nothing is left."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PING = (
    "import socket; ping = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP); "
    'ping.sendto(bytes([8, 0, 0xF7, 0xFF, 0, 0, 0, 0]), ("192.0.2.7", 0))'
)


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"you asked {self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def target() -> Iterator[str]:
    """Serve something on loopback; returns HOST:PORT."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


class Proof:
    """Run a shell script in the air gap; ``evidence`` is what was written."""

    def __init__(self, folder: Path, script: str, *allowed: str) -> None:
        path = folder / "evidence.json"
        command = [sys.executable, "-m", "airgap_image_factory", "airgap-proof", "--evidence", str(path)]
        for service in allowed:
            command += ["--allow", service]
        done = subprocess.run([*command, "--", "bash", "-c", script], capture_output=True, text=True, check=False)
        self.status, self.stdout, self.stderr = done.returncode, done.stdout, done.stderr
        self.evidence: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}


def test_named_services_are_reached_by_name_and_nothing_else_is_proven(tmp_path: Path, target: str) -> None:
    script = "curl -sSf http://mirror.internal/x http://registry.internal/y"
    proof = Proof(tmp_path, script, f"mirror.internal:80={target}", f"registry.internal:80={target}")
    assert proof.status == 0, proof.stderr
    assert proof.stdout == "you asked mirror.internalyou asked registry.internal"
    assert proof.evidence["proven"] is True
    assert proof.evidence["dns"] == {"questions": {"mirror.internal": 2, "registry.internal": 2}, "other_names": []}
    assert proof.evidence["packets"]["elsewhere"] == 0
    assert proof.evidence["services"]["mirror.internal:80"]["connections"] == 1


def test_names_below_a_service_are_the_services(tmp_path: Path, target: str) -> None:
    # apt asks for _https._tcp.mirror.internal (RFC 2782).
    proof = Proof(tmp_path, "curl -s http://srv.mirror.internal/; true", f"mirror.internal:80={target}")
    assert proof.status == 0
    proof = Proof(tmp_path, "curl -s http://notmirror.internal/; true", f"mirror.internal:80={target}")
    assert proof.evidence["dns"]["other_names"] == ["notmirror.internal"]


def test_the_hosts_own_name_is_not_looked_up(tmp_path: Path, target: str) -> None:
    proof = Proof(tmp_path, "hostname; sudo -n true", f"mirror.internal:80={target}")
    assert (proof.status, proof.stdout) == (0, "localhost\n")
    assert proof.evidence["dns"]["questions"] == {}


def test_another_name_is_refused_and_written_down(tmp_path: Path, target: str) -> None:
    proof = Proof(tmp_path, "curl -s http://updates.example/; true", f"mirror.internal:80={target}")
    assert proof.status == 1
    assert proof.evidence["dns"]["other_names"] == ["updates.example"]
    assert "asked for another name:  updates.example" in proof.stderr


@pytest.mark.parametrize(
    ("script", "tried"),
    [
        ("curl -s -m 3 http://192.0.2.7/", "192.0.2.7 tcp/80"),
        ("echo > /dev/udp/192.0.2.7/53", "192.0.2.7 udp/53"),
        ("curl -s -m 3 http://mirror.internal:8080/", "tcp/8080"),
        (f"/usr/bin/python3 -c '{PING}'", ""),
    ],
)
def test_packets_to_anywhere_else_are_counted(tmp_path: Path, target: str, script: str, tried: str) -> None:
    proof = Proof(tmp_path, f"{script}; true", f"mirror.internal:80={target}")
    assert proof.status == 1
    assert proof.evidence["packets"]["elsewhere"] > 0
    assert any(tried in place for place in proof.evidence["packets"]["tried"]) or not tried


def test_the_hosts_own_loopback_is_not_the_commands(tmp_path: Path, target: str) -> None:
    proof = Proof(tmp_path, f"curl -sS http://{target}/", f"mirror.internal:80={target}")
    assert proof.status == 4
    assert "you asked" not in proof.stdout


def test_ipv6_and_proxies_lead_nowhere(tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://{target}")
    script = "env | grep -ci http_proxy; curl -sS -m 3 'http://[2001:db8::1]/' 2>&1"
    proof = Proof(tmp_path, script, f"mirror.internal:80={target}")
    assert proof.stdout.startswith("0\n")
    assert proof.evidence["exit_status"] != 0


def test_a_command_that_opens_the_gap_does_not_prove_anything(tmp_path: Path, target: str) -> None:
    proof = Proof(tmp_path, "nft flush chain inet airgap output", f"mirror.internal:80={target}")
    assert proof.status == 1
    assert proof.evidence["packets"]["rules_unchanged"] is False
    assert "changed the rules" in proof.stderr


def test_a_failing_command_is_no_proof_but_its_evidence_is_kept(tmp_path: Path, target: str) -> None:
    proof = Proof(tmp_path, "exit 7", f"mirror.internal:80={target}")
    assert proof.status == 4
    assert (proof.evidence["exit_status"], proof.evidence["proven"]) == (7, False)


def test_a_service_that_is_down_is_told_from_one_that_is_not_allowed(tmp_path: Path) -> None:
    proof = Proof(tmp_path, "curl -s http://mirror.internal/; true", "mirror.internal:80=127.0.0.1:1")
    assert proof.evidence["services"]["mirror.internal:80"] == {"connections": 1, "refused": 1, "received": 0}


@pytest.mark.parametrize("text", ["mirror.internal", "mirror.internal:0", "mirror.internal:99999", "a b:80", "m:80=x"])
def test_what_is_no_service_is_refused(tmp_path: Path, text: str) -> None:
    proof = Proof(tmp_path, "true", text)
    assert proof.status == 2
    assert proof.evidence == {}


def test_nothing_is_left(tmp_path: Path, target: str) -> None:
    def state() -> set[str]:
        commands = (["ip", "netns"], ["ip", "-brief", "link"], ["pgrep", "-a", "dnsmasq"], ["ls", "/etc/netns"])
        said = [subprocess.run(command, capture_output=True, text=True, check=False).stdout for command in commands]
        return set("".join(said).splitlines())

    before = state()
    Proof(tmp_path, "sleep 300 & curl -s http://mirror.internal/", f"mirror.internal:80={target}")
    # Another proof may run or end meanwhile; ours adds nothing.
    assert state() <= before
