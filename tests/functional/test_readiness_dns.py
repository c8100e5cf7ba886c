"""The line DNS, against real resolvers: once green, and once red for each way to fail."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.ports import free_port
from tests.functional.readiness_lab import dnsmasq, readiness

ZONE = ("--host-record=zuul.internal,127.0.0.1,::1", "--cname=logs.internal,zuul.internal")
ZUUL = {"name": "zuul.internal", "addresses": ["127.0.0.1", "::1"], "reverse": True}


@pytest.fixture(scope="module")
def resolver() -> Iterator[str]:
    with dnsmasq(*ZONE) as running:
        yield running


def dns(*resolvers: str, public: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"resolvers": list(resolvers), "public_names": list(public)}


def test_everything_is_as_it_should_be(resolver: str, tmp_path: Path) -> None:
    endpoints = [ZUUL, {"name": "logs.internal"}, {"name": "192.0.2.1"}]
    with dnsmasq(*ZONE) as second:
        outcome = readiness(tmp_path, endpoints=endpoints, dns=dns(resolver, second, public=("www.example.org",)))
    assert outcome.bad() == {}
    assert outcome.status == 0
    assert outcome.asked() == {"dns-names", "dns-agreement", "dns-reverse", "dns-public"}
    assert outcome.of("dns-names")[:3:2] == [
        (f"zuul.internal at {resolver}", "pass", "resolves to 127.0.0.1, ::1"),
        (f"logs.internal at {resolver}", "pass", "resolves to 127.0.0.1, ::1 (alias of zuul.internal)"),
    ]
    assert outcome.of("dns-public")[0][2] == "does not resolve: REFUSED"
    first = outcome.results[0]
    assert first["tried"] == f"{resolver}: DNS, A and AAAA of zuul.internal"
    assert first["when"].endswith("+00:00")


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ({"name": "registry.internal"}, "does not resolve: REFUSED"),
        ({"name": "zuul.internal", "addresses": ["127.0.0.1"]}, "resolves to 127.0.0.1, ::1: it has besides ::1"),
        (
            {"name": "zuul.internal", "addresses": ["127.0.0.2", "::1"]},
            "resolves to 127.0.0.1, ::1: it lacks 127.0.0.2 and has besides 127.0.0.1",
        ),
    ],
)
def test_wrong_names_and_addresses(resolver: str, tmp_path: Path, endpoint: dict[str, Any], message: str) -> None:
    outcome = readiness(tmp_path, endpoints=[endpoint], dns=dns(resolver))
    assert outcome.bad() == {"dns-names": message}
    assert outcome.status == 1


def test_a_resolver_with_another_zone_does_not_agree(resolver: str, tmp_path: Path) -> None:
    with dnsmasq("--host-record=zuul.internal,127.0.0.9") as stale:
        outcome = readiness(tmp_path, endpoints=[{"name": "zuul.internal"}], dns=dns(resolver, stale))
    answers = f"{resolver}: 127.0.0.1, ::1; {stale}: 127.0.0.9"
    assert outcome.bad() == {"dns-agreement": f"the resolvers differ: {answers}"}


def test_reverse_names_are_missing_or_others(tmp_path: Path) -> None:
    endpoint = {"name": "zuul.internal", "addresses": ["127.0.0.1"], "reverse": True}
    names = ("--address=/zuul.internal/127.0.0.1", "--local=/127.in-addr.arpa/")
    with dnsmasq(*names) as without, dnsmasq(*names, "--ptr-record=1.0.0.127.in-addr.arpa,old.internal") as other:
        outcome = readiness(tmp_path, endpoints=[endpoint], dns=dns(without, other))
    assert set(outcome.bad()) == {"dns-reverse"}
    assert outcome.of("dns-reverse") == [
        (f"127.0.0.1 at {without}", "fail", "has no name: NXDOMAIN"),
        (f"127.0.0.1 at {other}", "fail", "is old.internal, and not zuul.internal"),
    ]


def test_a_resolver_that_knows_the_world_is_found_out(tmp_path: Path) -> None:
    with dnsmasq("--address=/#/192.0.2.99") as leaking:
        outcome = readiness(tmp_path, dns=dns(leaking, public=("www.example.org",)))
    assert outcome.bad() == {"dns-public": "resolves to 192.0.2.99"}
    assert outcome.status == 1


def test_one_dead_resolver_does_not_hide_the_other(resolver: str, tmp_path: Path) -> None:
    dead = f"127.0.0.1:{free_port()}"
    outcome = readiness(tmp_path, endpoints=[ZUUL], dns=dns(resolver, dead, public=("www.example.org",)))
    names = {subject: (status, message) for subject, status, message in outcome.of("dns-names")}
    assert names[f"zuul.internal at {resolver}"][0] == "pass"
    assert names[f"zuul.internal at {dead}"] == ("fail", f"no answer: {dead}: Connection refused")
    assert outcome.of("dns-agreement") == [("zuul.internal", "error", "only 1 of 2 resolvers answered")]
    assert outcome.of("dns-public")[1][1:] == ("error", f"no answer: {dead}: Connection refused")
    assert outcome.status == 3


@contextlib.contextmanager
def answering(reply: bytes) -> Iterator[str]:
    """A port that answers every question with its id and ``reply``; with nothing, it is silent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while question := server.recvfrom(512):
                if question[0] == b"end":
                    return
                if reply:
                    server.sendto(question[0][:2] + reply, question[1])

        thread = threading.Thread(target=serve)
        thread.start()
        where = server.getsockname()
        yield f"127.0.0.1:{where[1]}"
        server.sendto(b"end", where)
        thread.join(10)


@pytest.mark.parametrize(
    ("reply", "said"), [(b"", "was silent for 0.5 s"), (b"\x81", "no answer: "), (b"\xff" * 99, "no answer: ")]
)
def test_silence_and_rubbish_are_no_answers(tmp_path: Path, reply: bytes, said: str) -> None:
    with answering(reply) as server:
        outcome = readiness(tmp_path, endpoints=[ZUUL], dns=dns(server), limits={"timeout": 0.5})
    assert said in outcome.bad()["dns-names"]
    assert set(outcome.bad()) == {"dns-names", "dns-reverse"}
    assert outcome.status == 1


def test_a_long_answer_comes_by_tcp(tmp_path: Path) -> None:
    addresses = [f"127.0.{third}.1" for third in range(90)]
    with dnsmasq(*(f"--host-record=mirror.internal,{ip}" for ip in addresses)) as resolver:
        outcome = readiness(
            tmp_path, endpoints=[{"name": "mirror.internal", "addresses": addresses}], dns=dns(resolver)
        )
    assert outcome.bad() == {}


def test_a_node_that_resolves_names_of_the_world(resolver: str, tmp_path: Path) -> None:
    """This host is the node; it resolves one name only without any resolver."""
    section = {"resolvers": [resolver], "public_names": ["localhost", "www.example.invalid"], "nodes": ["/"]}
    outcome = readiness(tmp_path, dns=section)
    found = {subject: status for subject, status, _ in outcome.of("dns-node")}
    assert found == {"localhost on /": "fail", "www.example.invalid on /": "pass"}
    assert outcome.of("dns-node")[0][2].startswith("resolves to ")


def test_a_node_that_is_not_there_is_no_verdict(resolver: str, tmp_path: Path) -> None:
    node = f"ssh://zuul@127.0.0.1:{free_port()}"
    section = {"resolvers": [resolver], "public_names": ["www.example.org"], "nodes": [node]}
    outcome = readiness(tmp_path, dns=section)
    assert [status for _, status, _ in outcome.of("dns-node")] == ["error"]
    assert [status for _, status, _ in outcome.of("dns-public")] == ["pass"]
    assert outcome.status == 3
