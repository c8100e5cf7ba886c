"""Connection attempts from a build node: one script for its python3, and its answer read as hostile input."""

import errno
import ipaddress
import json
import math
import re
from base64 import b64encode
from importlib.resources import files
from typing import Annotated, Any, Final, Literal

import dns.message
import dns.rcode
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from diskimage_validator.engines.open import open_target
from diskimage_validator.errors import EngineError, UsageError
from diskimage_validator.printable import printable
from diskimage_validator.process import MORTAL, NOT_FOUND
from diskimage_validator.readiness.facts.egress import Answer, AskEgress, Attempt, Egress
from diskimage_validator.readiness.probes import egress_script
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.readiness.secret import Secret

PYTHON: Final = ("python3", "-I", "-S", "-")
"""Isolated from what the account's environment and the site say; the program comes by standard input."""
MAX_ATTEMPTS: Final = 256
"""Of one node; a name counts as one."""
MAX_CREDENTIALS: Final = 1024
MAX_OUTPUT: Final = 1024 * 1024
START: Final = 20.0
"""Seconds that a busy node may take to start Python."""
UNREACHABLE: Final = {
    4: {
        0: "network unreachable",
        1: "host unreachable",
        2: "protocol unreachable",
        3: "port unreachable",
        9: "network administratively prohibited",
        10: "host administratively prohibited",
        13: "communication administratively prohibited",
    },
    6: {
        0: "no route to destination",
        1: "communication administratively prohibited",
        2: "beyond scope of source address",
        3: "address unreachable",
        4: "port unreachable",
        5: "source address failed policy",
        6: "reject route",
    },
}
"""Codes of "destination unreachable": type 3 of ICMP (RFC 792, RFC 1812), type 1 of ICMPv6 (RFC 4443)."""
DESTINATION_UNREACHABLE: Final = {4: 3, 6: 1}
NO_ROUTE: Final = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EACCES, errno.EINVAL}
)
"""What connect(2) says where no route, no address of the family, or a route of the types ``prohibit``, ``unreachable``
or ``blackhole`` (ip-route(8)) is found."""
_REAL: Final = "is its python3 a real one?"
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
PROXY_AUTHENTICATION_REQUIRED: Final = 407
LATER: Final = frozenset({408, 429})
"""Request Timeout and Too Many Requests (RFC 9110, RFC 6585): the same request may do in a while."""


def _ip(text: str) -> str:
    if text and not text.isprintable():  # a zone, behind the percent sign, may be anything
        raise ValueError("no IP address")
    return text and str(ipaddress.ip_address(text))


IpText = Annotated[str, Field(max_length=64), AfterValidator(_ip)]


class _Row(BaseModel):
    """What the script says of one address: see ``egress_script.main``."""

    model_config = ConfigDict(strict=True, extra="forbid")

    attempt: Annotated[int, Field(ge=0)]
    ip: IpText
    outcome: Literal["answered", "silent", "closed", "error", "unresolved", "untried"]
    connected: bool = False
    errno: Annotated[int, Field(ge=0, le=4095)] = 0
    said: Annotated[str, Field(pattern=r"^([0-9a-f]{2}){0,64}$")] = ""
    icmp: Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=2, max_length=2)] | None = None
    by: IpText = ""


_ROWS: Final = TypeAdapter(Annotated[list[_Row], Field(max_length=MAX_ATTEMPTS * egress_script.MAX_ADDRESSES)])


def ask_egress(ask: AskEgress, means: Means) -> Egress:
    """Return what came of all attempts. Raises a ValidatorError if the node cannot make them."""
    if len(ask.attempts) > MAX_ATTEMPTS:
        raise UsageError(f"{len(ask.attempts)} connections from one node, more than {MAX_ATTEMPTS}", "name fewer")
    work = {"timeout": means.timeout, "attempts": [_as_work(attempt, means) for attempt in ask.attempts]}
    source = files(egress_script.__package__ or "").joinpath("egress_script.py").read_text("utf-8")
    program = f"{source}\n\nmain({json.dumps(work)!r})\n"
    with open_target(ask.node, ssh=means.ssh) as engine:
        command = PYTHON if engine.name == "ssh" else (*MORTAL, *PYTHON)
        done = engine.run(command, timeout=_seconds(ask, means.timeout), limit=MAX_OUTPUT, stdin=program.encode())
    if done.status == NOT_FOUND:
        hint = "install it there: Zuul and Ansible need it as well; without it refusals cannot be told from firewalls"
        raise EngineError("python3: not found on the node", hint)
    if done.status != 0:
        said = done.stderr.strip().splitlines()[-1:] or [f"status {done.status}"]
        raise EngineError(f"python3 on the node: {printable(said[0], 200)}", "Python 3.6 or later is needed there")
    return read_answers(ask.attempts, done.stdout, means.timeout)


def _seconds(ask: AskEgress, timeout: float) -> float:
    """Return how long the script may take: it ends by itself before that."""
    connections = sum(1 if one.address.ip else egress_script.MAX_ADDRESSES for one in ask.attempts)
    rounds = math.ceil(min(connections, egress_script.MAX_CONNECTIONS) / egress_script.PARALLEL)
    return timeout + rounds * (timeout + egress_script.LINGER) + START


def _as_work(attempt: Attempt, means: Means) -> dict[str, Any]:
    """Return an attempt as the script wants it. Raises UsageError for credentials that cannot be read."""
    kind, sent = "tcp", b""
    if attempt.protocol == "dns":
        record = "A" if attempt.subject else "NS"
        kind, sent = "udp", dns.message.make_query(attempt.subject or ".", record).to_wire()
    elif attempt.protocol == "connect":
        kind, sent = "ask", f"CONNECT {attempt.subject} HTTP/1.1\r\nHost: {attempt.subject}\r\n".encode()
        sent += _authorization(attempt.credentials, means) if attempt.credentials else b""
        sent += b"\r\n"
    place = {"ip" if attempt.address.ip else "name": attempt.address.name}
    return {"kind": kind, **place, "port": attempt.address.port, "send": sent.hex()}


def _authorization(credentials: Secret, means: Means) -> bytes:
    """Return the header for the scheme Basic (RFC 7617)."""
    secret = credentials.read(means.folder).strip()
    if b":" not in secret or len(secret) > MAX_CREDENTIALS:
        raise UsageError(f"{credentials}: no credentials", "USER:PASSWORD is wanted there")
    return b"Proxy-Authorization: Basic " + b64encode(secret) + b"\r\n"


def read_answers(attempts: tuple[Attempt, ...], text: str, timeout: float) -> Egress:
    """Return what a node's output says of ``attempts``. Raises EngineError for anything but the script's own."""
    try:
        rows = _ROWS.validate_json(text)
    except ValidationError as error:
        raise EngineError("what the node answers is not what was asked for", _REAL) from error
    found: list[dict[str, Answer]] = [{} for _ in attempts]
    for row in rows:
        if row.attempt >= len(attempts):
            raise EngineError("the node answers what it was not asked", _REAL)
        attempt = attempts[row.attempt]
        if (row.outcome == "unresolved") != (row.ip == "") or (attempt.address.ip and row.ip != attempt.address.name):
            raise EngineError("the node answers what it was not asked", _REAL)
        found[row.attempt][row.ip] = _answer(attempt, row, timeout)
    if not all(found):
        raise EngineError("the node answers less than it was asked", _REAL)
    return Egress(tuple((one, tuple(answers.values())) for one, answers in zip(attempts, found, strict=True)))


def _answer(attempt: Attempt, row: _Row, timeout: float) -> Answer:
    ip = row.ip
    if row.outcome == "unresolved":
        return Answer("", "unresolved", f"{attempt.address.name} does not resolve on the node")
    if row.outcome == "untried":
        return Answer(ip, "untried", "it was not tried, for time or connections ran out on the node")
    if row.icmp and not row.connected:
        version = 6 if ":" in ip else 4
        code = UNREACHABLE[version].get(row.icmp[1]) if row.icmp[0] == DESTINATION_UNREACHABLE[version] else None
        message = f"ICMP {code or f'type {row.icmp[0]}, code {row.icmp[1]}'}"
        if row.by == row.ip:
            return Answer(ip, "refused", f"the host itself answers: {message}")
        return Answer(ip, "rejected", f"{message}, says {row.by}")
    if attempt.protocol == "connect" and row.connected:
        return _proxy_answer(ip, row, timeout)
    if row.outcome == "answered":
        return Answer(ip, "open", _answered(attempt, bytes.fromhex(row.said)))
    if row.outcome == "silent":
        return Answer(ip, "silent", f"no answer within {timeout:g} s")
    if row.errno == errno.ECONNREFUSED:
        return Answer(ip, "refused", "refused with a TCP reset" if attempt.protocol != "dns" else "refused")
    if row.errno == errno.ECONNRESET:
        return Answer(ip, "reset", "connected, and reset at once")
    if row.errno == errno.EPERM:
        return Answer(ip, "denied", "the node's own firewall does not let it out")
    reason = errno.errorcode.get(row.errno, str(row.errno))
    if row.errno in NO_ROUTE:
        return Answer(ip, "no-route", f"the node has no way there ({reason})")
    return Answer(ip, "unclear", f"the connection failed on the node ({reason})")


def _answered(attempt: Attempt, said: bytes) -> str:
    if attempt.protocol == "tcp":
        return "connected"
    if len(said) < 12 or not said[2] & 0x80:
        return "something that is no DNS answered"
    return f"answered: {dns.rcode.to_text(dns.rcode.from_flags(said[3], 0))}"  # RFC 1035, 4.1.1


def _proxy_answer(ip: str, row: _Row, timeout: float) -> Answer:
    """Judge what a proxy said after it took the connection."""
    if row.outcome == "silent":
        return Answer(ip, "unclear", f"the proxy took the connection, and was silent for {timeout:g} s")
    if row.outcome != "answered":
        return Answer(ip, "unclear", "the proxy took the connection, and ended it without an answer")
    status = _STATUS.match(bytes.fromhex(row.said))
    if not status:
        return Answer(ip, "unclear", "what answers there is no HTTP proxy")
    code = int(status[1])
    if 200 <= code < 300:
        return Answer(ip, "open", f"the proxy made a tunnel (status {code})")
    if code == PROXY_AUTHENTICATION_REQUIRED:
        return Answer(ip, "unclear", "the proxy wants to know who asks (status 407)")
    if 400 <= code < 500 and code not in LATER:
        return Answer(ip, "declined", f"the proxy says no (status {code})")
    return Answer(ip, "unclear", f"the proxy does not say no, but that it failed (status {code})")
