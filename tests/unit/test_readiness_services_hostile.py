"""Core services that lie, flood, and say nothing: one line of trouble, in bounded time, and nothing that crashes."""

import random
import struct
import time
from dataclasses import replace
from pathlib import Path

import pytest

from diskimage_validator.endpoints import Address
from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.readiness.facts.databases import AskDatabase, DatabaseServer
from diskimage_validator.readiness.facts.trouble import Trouble
from diskimage_validator.readiness.facts.zookeeper import AskDoors, AskMember, Member
from diskimage_validator.readiness.probes.authorities import verifying
from diskimage_validator.readiness.probes.databases import ask_database
from diskimage_validator.readiness.probes.links import BrokenError, Meter, dial, metered, secure
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.readiness.probes.zookeeper import ask_doors, ask_member
from diskimage_validator.readiness.probes.zookeeper_session import session
from diskimage_validator.readiness.secret import Secret
from tests.support.chains import authority, server
from tests.support.talking_server import AGAIN, HEAR, SLOWLY, TLS, talking

ROOT = authority("Root", cert_sign=True)
LEAF = server(ROOT, "127.0.0.1")
CLIENT = server(ROOT, "client.internal")
TIMEOUT = 5.0
HASTE = 0.3
"""Seconds for servers that do not answer: what the time is for is not to be waited for."""
PASSWORD = "s3cret-of-readiness"
SRVR = b"Zookeeper version: 3.8.0, x\nLatency min/avg/max: 0/0/0\nConnections: 1\nZxid: 0x1\nMode: follower\n"
OPENED = struct.pack("!iiiqi16s?", 37, 0, 10_000, 1, 16, b"", False)
GREETING = (
    b"\x0a8.0.36\0" + struct.pack("<I8sxHBHHB10x", 1, b"a" * 8, 0xFFFF, 33, 2, 0xFFFF, 21) + b"b" * 12 + b"\0"
    b"mysql_native_password\0"
)
SSL_REQUEST = 36
"""Bytes of what a client of MySQL says before TLS."""
NOISE = [random.Random(seed).randbytes(3000) for seed in range(6)]


def framed(payload: bytes, number: int) -> bytes:
    """Return a packet of MySQL's protocol."""
    return struct.pack("<I", len(payload))[:3] + bytes([number]) + payload


@pytest.fixture
def means(tmp_path: Path) -> Means:
    (tmp_path / "client.pem").write_bytes(CLIENT.pem)
    (tmp_path / "client.key").write_bytes(CLIENT.key_pem)
    (tmp_path / "password").write_text(PASSWORD)
    return Means(TIMEOUT, (), tmp_path, (ROOT.der,), SshOptions())


@pytest.fixture
def hasty(means: Means) -> Means:
    return replace(means, timeout=HASTE)


def member(means: Means, *words: bytes | int) -> Member:
    with talking(means.folder, LEAF.key_pem, [LEAF.pem], *words) as (address, _):
        return ask_member(AskMember(address, "client.pem", Secret("file", "client.key"), None, ""), means)


def database(kind: str, means: Means, *words: bytes | int, password: bool = True) -> tuple[DatabaseServer, bytes]:
    """Return what comes of a server that says ``words``, and what it was told."""
    secret = Secret("file", "password") if password else None
    with talking(means.folder, LEAF.key_pem, [LEAF.pem], *words) as (address, talk):
        fact = ask_database(AskDatabase(kind, address, "zuul", "readiness", secret, "", None), means)
        return fact, talk.received


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "silent"),
        ((b"220 mail.internal ready\r\n",), "TLS: wrong version number"),
        ((TLS, b"not now\n"), "silent"),
        ((TLS, b"x", SLOWLY), "silent"),
        ((TLS, b"x" * 65536, AGAIN), "what answers is no ZooKeeper"),
    ],
)
def test_what_is_no_member_is_told(words: tuple[bytes, ...], said: str, means: Means, hasty: Means) -> None:
    started = time.monotonic()
    fact = member(hasty if said == "silent" else means, *words)
    assert time.monotonic() - started < TIMEOUT
    assert fact.trouble is not None
    assert said in fact.trouble.text
    assert fact.status is None


@pytest.mark.parametrize("noise", [*NOISE, OPENED + NOISE[0], OPENED + struct.pack("!iiqi", 16, 1, 1, 0), b"\x7f" * 64])
def test_noise_instead_of_a_session(noise: bytes, hasty: Means) -> None:
    meter = Meter(hasty.timeout)
    context = metered(verifying(hasty.authorities), meter)
    with (
        talking(hasty.folder, LEAF.key_pem, [LEAF.pem], TLS, noise) as (address, _),
        secure(dial(address, hasty, meter), address, context) as link,
        pytest.raises((BrokenError, TimeoutError)),
        session(link, hasty.timeout) as opened,
    ):
        opened.read("/zookeeper/config")


def test_doors_of_what_is_no_zookeeper(hasty: Means) -> None:
    with talking(hasty.folder, LEAF.key_pem, [LEAF.pem], b"hello\n") as (address, _):
        doors = ask_doors(AskDoors(address, (address.port or 0,)), hasty)
    assert doors.stranger.outcome == "failed"
    assert doors.plain[0][1].outcome == "accepted"


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
@pytest.mark.parametrize("noise", NOISE)
def test_noise_instead_of_a_database(kind: str, noise: bytes, hasty: Means) -> None:
    words: tuple[bytes | int, ...] = (
        (HEAR, b"S", TLS, HEAR, noise) if kind == "postgresql" else (framed(GREETING, 0), SSL_REQUEST, TLS, HEAR, noise)
    )
    fact, told = database(kind, hasty, *words)
    assert fact.trouble is not None
    assert fact.trouble.text.isprintable()
    assert len(fact.trouble.text) <= 400
    assert PASSWORD.encode() not in told
    plain, told = database(kind, hasty, noise)
    assert plain.trouble is not None
    assert PASSWORD.encode() not in told


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_database_that_floods_or_says_nothing(kind: str, means: Means, hasty: Means) -> None:
    started = time.monotonic()
    fact, _ = database(kind, hasty)
    assert fact.trouble is not None
    assert fact.trouble.kind == "silent"
    drops = (HEAR, b"S", TLS, HEAR, b"N", SLOWLY) if kind == "postgresql" else (b"\xff\xff\xff\0", b"x", SLOWLY)
    fact, _ = database(kind, hasty, *drops)
    assert fact.trouble is not None
    assert fact.trouble.kind == "silent"
    notice = b"N" + struct.pack("!i", 65540) + b"\0" * 65536
    packets = framed(b"\x01", 1) * 10_000
    words = (HEAR, b"S", TLS, HEAR, notice, AGAIN) if kind == "postgresql" else (packets, AGAIN)
    fact, _ = database(kind, means, *words)
    assert fact.trouble is not None
    assert time.monotonic() - started < 4 * TIMEOUT


@pytest.mark.parametrize(
    ("request_", "password", "said"),
    [
        (struct.pack("!ii", 8, 3), False, "the server asks for a password, and the factory.yaml has none for it"),
        (struct.pack("!ii", 8, 7), True, "cannot log in: Authentication method 7 not supported by pg8000."),
        (
            struct.pack("!ii", 40, 11) + b"r=x,s=c2FsdA==,i=2000000000".ljust(32, b"0"),
            True,
            "the server wants the password hashed more than 1000000 times",
        ),
        (
            struct.pack("!ii", 40, 11) + b"r=x,s=c2FsdA==,i=2_000_000_00".ljust(32, b"0"),
            True,
            "the server wants the password hashed more than 1000000 times",
        ),
        (struct.pack("!ii", 23, 10) + b"SCRAM-SHA-999\0\0", True, "what answers does not speak PostgreSQL's protocol"),
    ],
)
def test_what_postgresql_asks_of_a_client(request_: bytes, password: bool, said: str, means: Means) -> None:
    fact, _ = database("postgresql", means, HEAR, b"S", TLS, HEAR, b"R" + request_, password=password)
    assert fact.trouble is not None
    assert fact.trouble.text == said


def test_a_server_that_wants_our_files_does_not_get_them(means: Means) -> None:
    fine = b"\0\0\0\x02\0\0\0"
    words = (framed(GREETING, 0), SSL_REQUEST, TLS, HEAR, framed(fine, 3), HEAR, framed(fine, 1))
    fact, told = database("mysql", means, *words, HEAR, framed(b"\xfb/etc/passwd", 1))
    assert fact.trouble is not None
    assert "local_infile option is false" in fact.trouble.text
    assert b"root:" not in told


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    ("alert", "kind", "said"),
    [
        (45, "client", "the server refuses this client: TLS: sslv3 alert certificate expired"),
        (48, "client", "the server refuses this client: TLS: tlsv1 alert unknown ca"),
        (70, "tls", "TLS: tlsv1 alert protocol version"),
        (40, "tls", "TLS: sslv3 alert handshake failure"),
    ],
)
def test_alerts_are_about_the_client_or_not(alert: int, kind: str, said: str, means: Means) -> None:
    fact = member(means, HEAR, bytes((21, 3, 3, 0, 2, 2, alert)))
    assert fact.trouble == Trouble(kind, said)  # type: ignore[arg-type]


def test_no_descriptor_is_left(hasty: Means) -> None:
    before = descriptors()
    for _ in range(3):
        database("postgresql", hasty, HEAR, b"S", TLS, HEAR, NOISE[0])
        database("mysql", hasty, framed(GREETING, 0), SSL_REQUEST, TLS, HEAR, NOISE[0])
        member(hasty, TLS, b"no")
    ask_doors(AskDoors(Address("127.0.0.1", 1), (1,)), hasty)
    time.sleep(0.1)
    assert descriptors() <= before
