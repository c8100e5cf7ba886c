"""What a node says of its connections is judged, and what is no answer of the script's is refused."""

import ast
import errno
import json
import sys
import threading
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from diskimage_validator.endpoints import Address
from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.errors import EngineError, PolicyError, UsageError
from diskimage_validator.readiness.checks.egress import factory_attempts, working
from diskimage_validator.readiness.document import parse_factory
from diskimage_validator.readiness.facts.egress import Answer, AskEgress, Attempt
from diskimage_validator.readiness.plan import plan_rows
from diskimage_validator.readiness.probes.egress import MAX_ATTEMPTS, ask_egress, read_answers
from diskimage_validator.readiness.probes.egress_script import in_parallel
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.readiness.secret import Secret

TCP = Attempt("tcp", Address("192.0.2.80", 443))
TCP6 = Attempt("tcp", Address("2001:db8::80", 443))
DNS = Attempt("dns", Address("192.0.2.53", 53))
NAMED = Attempt("tcp", Address("mirror.internal", 443))
TUNNEL = Attempt("connect", Address("192.0.2.31", 3128), "www.example.org:443")


def row(ip: str = "192.0.2.80", outcome: str = "error", **more: Any) -> dict[str, Any]:
    return {"attempt": 0, "ip": ip, "outcome": outcome, **more}


def answers(attempt: Attempt, *rows: dict[str, Any]) -> tuple[Answer, ...]:
    return read_answers((attempt,), json.dumps(rows), 5).found[0][1]


def test_the_script_is_one_that_old_pythons_read_and_needs_nothing_but_python() -> None:
    text = files("diskimage_validator.readiness.probes").joinpath("egress_script.py").read_text("utf-8")
    tree = ast.parse(text, feature_version=(3, 6))
    imported = {
        name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in (a.name for a in node.names)
    }
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names
    assert text.isascii()


@pytest.mark.parametrize(
    ("attempt", "given", "outcome", "words"),
    [
        (TCP, row(errno=errno.EPERM), "denied", "the node's own firewall does not let it out"),
        (TCP, row(errno=errno.ENETUNREACH), "no-route", "the node has no way there (ENETUNREACH)"),
        (TCP, row(errno=errno.EMFILE), "unclear", "the connection failed on the node (EMFILE)"),
        (TCP, row(errno=4000), "unclear", "the connection failed on the node (4000)"),
        (TCP6, row("2001:db8::80", errno=errno.EAFNOSUPPORT), "no-route", "the node has no way there (EAFNOSUPPORT)"),
        (TCP, row(icmp=[3, 1], by="192.0.2.1"), "rejected", "ICMP host unreachable, says 192.0.2.1"),
        (TCP, row(icmp=[11, 0], by="192.0.2.1"), "rejected", "ICMP type 11, code 0, says 192.0.2.1"),
        (TCP6, row("2001:db8::80", icmp=[1, 6], by="2001:db8::1"), "rejected", "ICMP reject route, says 2001:db8::1"),
        (DNS, row("192.0.2.53", "answered", said="00" * 64), "open", "something that is no DNS answered"),
        (DNS, row("192.0.2.53", "answered", said="0001 8185".replace(" ", "") + "00" * 8), "open", "answered: REFUSED"),
        (DNS, row("192.0.2.53", errno=errno.ECONNREFUSED), "refused", "refused"),
    ],
)
def test_what_came_of_an_attempt(attempt: Attempt, given: dict[str, Any], outcome: str, words: str) -> None:
    (answer,) = answers(attempt, given)
    assert (answer.outcome, answer.words) == (outcome, words)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (b"HTTP/1.1 200 OK", "open"),
        (b"HTTP/1.0 204 ", "open"),
        (b"HTTP/1.1 403 Forbidden", "declined"),
        (b"HTTP/1.1 407 Who", "unclear"),
        (b"HTTP/1.1 429 Later", "unclear"),
        (b"HTTP/1.1 502 Bad", "unclear"),
        (b"HTTP/1.1 302 Found", "unclear"),
        (b"HTTP/1.1 2000", "unclear"),
        (b"SSH-2.0-OpenSSH", "unclear"),
        (b"", "unclear"),
    ],
)
def test_what_a_proxy_says(said: bytes, outcome: str) -> None:
    (answer,) = answers(TUNNEL, row("192.0.2.31", "answered", connected=True, said=said.hex()))
    assert answer.outcome == outcome


def test_names_have_several_addresses_or_none_and_what_was_not_tried_says_so() -> None:
    assert [one.ip for one in answers(NAMED, row("192.0.2.1", "silent"), row("2001:db8::1", "silent"))] == [
        "192.0.2.1",
        "2001:db8::1",
    ]
    assert answers(NAMED, row("", "unresolved"))[0].outcome == "unresolved"
    assert answers(NAMED, row("192.0.2.1", "untried"))[0].outcome == "untried"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "[" * 100_000,
        "[" + "1" * 100_000 + "]",
        "[NaN]",
        '[{"attempt": 0}]',
        *(
            json.dumps([{**row(), **changes}])
            for changes in (
                {"attempt": 1},
                {"attempt": -1},
                {"attempt": True},
                {"attempt": 10**30},
                {"ip": "192.0.2.81"},
                {"ip": ""},
                {"ip": "\x1b[2J:"},
                {"ip": "fe80::1%\x1b[2J"},
                {"ip": "1" * 1000},
                {"by": "somebody"},
                {"outcome": "pass"},
                {"outcome": "unresolved"},
                {"said": "0"},
                {"said": "00" * 65},
                {"said": "zz"},
                {"icmp": [3]},
                {"icmp": [3, 256]},
                {"errno": 1.5},
                {"more": 1},
            )
        ),
        json.dumps([row()] * 3000),
    ],
)
def test_what_is_no_answer_of_the_script_is_refused(text: str) -> None:
    with pytest.raises(EngineError, match="the node answers"):
        read_answers((TCP,), text, 5)


def test_what_a_node_reaches_on_itself_is_no_network() -> None:
    local = Attempt("tcp", Address("localhost", 443))
    rows = [row("127.0.0.1", "answered"), row("::1", "answered"), {**row("192.0.2.80", "answered"), "attempt": 1}]
    found = read_answers((local, TCP), json.dumps(rows), 5)
    assert working(found, (local,)) == {}
    assert working(found, (local, TCP)) == {4: "TCP connection to 192.0.2.80:443 works"}


def test_the_script_leaves_behind_what_does_not_end() -> None:
    started, never = time.monotonic(), threading.Event()
    done = in_parallel(["quick", "slow"], lambda job: job == "quick" or never.wait(30), 0.1)
    never.set()
    assert done == {"quick": True}
    assert time.monotonic() - started < 10


def test_connections_are_counted_and_credentials_looked_at_before_anything_is_sent(tmp_path: Path) -> None:
    means = Means(1, (), tmp_path, (), SshOptions())
    many = tuple(Attempt("tcp", Address("192.0.2.80", port)) for port in range(1, MAX_ATTEMPTS + 2))
    with pytest.raises(UsageError, match="257 connections from one node, more than 256"):
        ask_egress(AskEgress("/", many), means)
    (tmp_path / "key").write_text("s3cret")
    tunnel = Attempt("connect", Address("192.0.2.31", 3128), "www.example.org:443", Secret("file", "key"))
    with pytest.raises(UsageError, match="file:key: no credentials"):
        ask_egress(AskEgress("/", (tunnel,)), means)


def test_the_plan_says_what_will_be_sent_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROXY", "node:s3cret")
    text = """\
version: 1
name: test
endpoints: [{name: mirror.internal}, {name: zuul.internal, addresses: [192.0.2.10]}]
dns: {resolvers: [192.0.2.53]}
firewall:
  nodes: ["ssh://zuul@node.internal", "/"]
  reachable: ["git.internal:29418"]
  canaries: [{address: 192.0.2.99, protocol: dns}, {address: "2001:db8::80", port: 443}]
  proxies: [{proxy: "proxy.internal:3128", refused: ["www.example.org:443"], credentials: env:PROXY}]
bootstrap:
  nodes: ["/"]
  paths: [{proxy: "proxy.internal:3129", target: "www.example.org:80"}]
"""
    rows = [row for row in plan_rows(parse_factory(text, "factory.yaml", tmp_path)) if row[0] != "DNS"]
    needed = (
        "TCP connection to mirror.internal:443; TCP connection to 192.0.2.10:443; DNS by UDP, A of mirror.internal,"
    )
    needed += " to 192.0.2.53:53"
    sent = f"{needed}; TCP connection to git.internal:29418; DNS by UDP, NS of ., to 192.0.2.99:53; "
    sent += "TCP connection to [2001:db8::80]:443; CONNECT www.example.org:443 to the proxy proxy.internal:3128"
    assert rows == [
        ("Firewall", "ssh://zuul@node.internal", sent),
        ("Firewall", "/", sent),
        ("Bootstrap egress", "/", f"{needed}; CONNECT www.example.org:80 to the proxy proxy.internal:3129"),
    ]


def test_what_the_sections_may_not_say(tmp_path: Path) -> None:
    text = """\
version: 1
name: test
firewall:
  nodes: []
  reachable: [git.internal]
  canaries: [{address: canary.example.org, port: 1}, {address: 192.0.2.1}, {address: 192.0.2.1, port: 1, protocol: udp}]
bootstrap:
  nodes: ["/"]
  paths: [{}, {address: 192.0.2.1}, {proxy: "p.internal:1"}, {proxy: "p.internal:1", target: "t.internal:2", port: 3}]
"""
    with pytest.raises(PolicyError) as caught:
        parse_factory(text, "factory.yaml", tmp_path)
    assert [line.partition(": .")[2] for line in caught.value.message.splitlines()[1:]] == [
        "firewall.nodes: List should have at least 1 item after validation, not 0",
        "firewall.reachable[0]: a port is missing, as in 'registry.internal:443'",
        "firewall.canaries[0].address: an IP address is wanted, as text",
        "firewall.canaries[1]: 'tcp' needs 'port'",
        "firewall.canaries[2].protocol: Input should be 'tcp' or 'dns'",
        "bootstrap.paths[0]: give either 'address', or 'proxy' and 'target'",
        "bootstrap.paths[1]: 'tcp' needs 'port'",
        "bootstrap.paths[2]: give either 'address', or 'proxy' and 'target'",
        "bootstrap.paths[3]: 'port' and 'protocol' are those of an 'address'",
    ]


def test_an_endpoint_for_its_name_only_is_not_connected_to(tmp_path: Path) -> None:
    text = """\
version: 1
name: test
endpoints:
  - {name: mirror.internal}
  - {name: git.internal, tls: false}
  - {name: ssh.internal, tls: false, port: 22}
"""
    found = [str(attempt) for attempt in factory_attempts(parse_factory(text, "factory.yaml", tmp_path))]
    assert found == ["mirror.internal:443 (TCP)", "ssh.internal:22 (TCP)"]
