"""Connections that the node itself makes: TLS handshakes with its own trust store, and whether a port answers.

What makes them is whatever the node has. Verification is never off: a handshake that was not verified tells nothing.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal

from diskimage_validator.endpoints import Address
from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.live.asking import first_tool, last_line
from diskimage_validator.frozen import dataclass

SECONDS: Final = 8
"""A probe takes no longer; a firewall that drops packets costs as much."""
_GRACE: Final = 10.0
_TLS_PYTHON: Final = """\
import socket, ssl, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])) as link:
    ssl.create_default_context().wrap_socket(link, server_hostname=sys.argv[1]).close()
"""
_TCP_PYTHON: Final = """\
import socket, sys
socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()
"""
_TCP_BASH: Final = 'exec 3<>"/dev/tcp/$1/$2"'
_VERIFY: Final = re.compile(
    r"(?:verify error:num=\d+:|certificate verify failed: |"  # openssl, Python
    r"SSL certificate problem: |SSL: (?=no alternative |certificate ))"  # curl
    r"([^\n(]+)"
)
_UNRESOLVED: Final = re.compile(r"name or service not known|name resolution|no address associated|not resolve", re.I)

Outcome = Literal["ok", "untrusted", "refused", "unresolved", "failed"]


@dataclass(frozen=True)
class Probe:
    """What came of one connection: ``address`` as NAME:PORT; ``tool``: what made it; ``message``: what that said.

    ``ok``: it was made, and for TLS verified; ``untrusted``: chain or name did not verify; ``refused``: somebody
    answered with a reset; ``unresolved``: the name has no address there; ``failed``: anything else, silence for one.
    """

    address: str
    outcome: Outcome
    tool: str
    message: str


@dataclass(frozen=True)
class Probes:
    """Every probe that was asked for; ``tool`` is empty if the node has none to make them with."""

    tool: str
    probes: tuple[Probe, ...]


def probe_tls(engine: Engine, addresses: Sequence[Address]) -> Probes | None:
    """Make a TLS handshake with each of ``addresses`` from the node, with what its programs trust by default."""
    if not engine.live:
        return None
    tool = first_tool(engine, ("openssl", "python3", "curl"))
    return Probes(tool, tuple(_probe(engine, _tls(tool, one), one, tool) for one in addresses if tool))


def probe_tcp(engine: Engine, addresses: Sequence[Address]) -> Probes | None:
    """Open a TCP connection to each of ``addresses`` from the node, and close it again."""
    if not engine.live:
        return None
    tool = first_tool(engine, ("bash", "python3"))
    return Probes(tool, tuple(_probe(engine, _tcp(tool, one), one, tool) for one in addresses if tool))


def _tls(tool: str, address: Address) -> list[str]:
    name, port = address.name, str(address.port)
    if tool == "openssl":
        check = ["-verify_ip", name] if address.ip else ["-verify_hostname", name, "-servername", name]
        return ["openssl", "s_client", "-connect", str(address), *check, "-verify_return_error", "-brief"]
    if tool == "python3":
        return ["python3", "-I", "-c", _TLS_PYTHON, name, port, str(SECONDS)]
    # Whatever the server answers then: curl's exit status is about the connection (curl(1), EXIT CODES).
    return ["curl", "-q", "-sS", "--noproxy", "*", "-o", "/dev/null", "-I", f"https://{address}/"]


def _tcp(tool: str, address: Address) -> list[str]:
    name, port = address.name, str(address.port)
    if tool == "bash":
        return ["bash", "-c", _TCP_BASH, "bash", name, port]
    return ["python3", "-I", "-c", _TCP_PYTHON, name, port, str(SECONDS)]


def _probe(engine: Engine, command: list[str], address: Address, tool: str) -> Probe:
    done = engine.run(["timeout", str(SECONDS), *command], timeout=SECONDS + _GRACE)
    said = done.stderr + done.stdout
    if done.status == 0:
        return Probe(str(address), "ok", tool, "")
    if done.status == 124:
        return Probe(str(address), "failed", tool, f"no answer within {SECONDS} s")
    if found := _VERIFY.search(said):
        return Probe(str(address), "untrusted", tool, last_line(found[1]))
    if _UNRESOLVED.search(said):
        return Probe(str(address), "unresolved", tool, "the name has no address")
    outcome: Outcome = "refused" if "refused" in said.lower() else "failed"
    return Probe(str(address), outcome, tool, last_line(done.stderr) or f"exit status {done.status}")
