"""The certificates that an endpoint presents, fetched without trusting it: data, to be judged against an image.

``openssl s_client`` does the handshake, because Python's ssl hands out a chain that it has not verified only from 3.13
on. Nothing is sent but the handshake, with the endpoint's name in it (SNI), and no proxy is used.
"""

import re
from collections.abc import Sequence
from typing import Final

from diskimage_validator.endpoints import Address
from diskimage_validator.errors import EngineError, UsageError, ValidatorError
from diskimage_validator.frozen import dataclass
from diskimage_validator.policy_files import parse_chain
from diskimage_validator.process import MORTAL, Limits, find_program, run

HTTPS: Final = 443
TIMEOUT: Final = 10.0
"""Seconds for name resolution, connection and handshake together."""
MAX_TIMEOUT: Final = 600.0
LIMITS: Final = Limits(cpu_seconds=10)


class FetchError(ValidatorError):
    """An endpoint presented no certificates."""


@dataclass(frozen=True)
class Session:
    """A handshake that was made: the DER form of what was presented, and the protocol (``TLSv1.3``), empty if refused.

    A server that refuses a protocol or wants a certificate of its clients may still have presented its own.
    """

    chain: tuple[bytes, ...]
    protocol: str


def fetch_chain(address: Address, *, timeout: float = TIMEOUT) -> tuple[bytes, ...]:
    """Return the DER form of what ``address`` presents, its own certificate first; the port is 443 if left out.

    ``timeout`` is in seconds. Raises FetchError if it presents nothing, EngineError if this host has no openssl.
    """
    return fetch_session(address, timeout=timeout).chain


def fetch_session(address: Address, *, ip: str = "", timeout: float = TIMEOUT, options: Sequence[str] = ()) -> Session:
    """Return the handshake with ``address``, at the IP address ``ip`` if one is given.

    ``options`` are further ones of s_client(1). Raises what fetch_chain raises.
    """
    target = Address(address.name, address.port or HTTPS)
    if find_program("openssl") is None:
        raise EngineError("openssl is not installed", "install the package openssl, or give the chain as a file")
    # Names are host names or IP addresses (see parse_address), so they cannot be taken for options.
    command = [
        *MORTAL,
        "openssl",
        "s_client",
        "-connect",
        str(Address(ip or target.name, target.port)),
        "-showcerts",
        *options,
    ]
    command += ["-noservername"] if target.ip else ["-servername", target.name]
    try:
        done = run(command, timeout=timeout, limits=LIMITS)
    except EngineError as error:
        raise FetchError(f"{target} did not finish a TLS handshake within {timeout:.0f} s", _HINT) from error
    if "-----BEGIN CERTIFICATE-----" not in done.stdout:
        raise FetchError(f"{target} presented no certificate: {_reason(done.stderr)}", _HINT)
    agreed = _AGREED.search(done.stdout)
    try:
        chain = parse_chain(done.stdout.encode(), f"what {target} presented")
    except UsageError as error:
        raise FetchError(error.message) from error
    return Session(chain, agreed[1] if agreed else "")


_AGREED: Final = re.compile(r"^New, (?!\(NONE\))(\S+), Cipher is ", re.MULTILINE)
_HINT: Final = "is there a TLS server at that name and port, and may this host reach it?"


def _reason(stderr: str) -> str:
    """Return the reason in the first error that openssl tells, as ERR_print_errors_fp(3) lays it out.

    That is ``thread:error:code:library:function:reason:file:line:data``; the data tell what "system lib" means.
    """
    for line in stderr.splitlines():
        parts = [part.strip() for part in line.split(":")]
        if len(parts) > 6 and parts[1] == "error":
            return parts[8] if parts[5] == "system lib" and len(parts) > 8 and parts[8] else parts[5]
    return "the connection was closed"
