"""A TLS endpoint: under which name it is reached, and the certificates that it presents."""

import hashlib
import ipaddress
import re
from typing import Final

from diskimage_validator.consumers import SYSTEM
from diskimage_validator.errors import UsageError
from diskimage_validator.frozen import dataclass

_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DNS_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_PORT: Final = re.compile(r"[0-9]{1,5}", re.ASCII)


@dataclass(frozen=True)
class Address:
    """Where an endpoint is: a DNS name in lower case or an IP address, and a port, None if it does not matter."""

    name: str
    port: int | None = None

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port is None else f"{name}:{self.port}"

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The name as an IP address, None if it is a DNS name."""
        try:
            return ipaddress.ip_address(self.name)
        except ValueError:
            return None


@dataclass(frozen=True)
class Endpoint:
    """An endpoint that has to be trusted.

    ``chain``: the DER form of what it presents, its own certificate first; ``consumers``: who has to trust it;
    ``strict``: whether also by the strict reading of RFC 5280; ``source``: where the chain is from.
    """

    address: Address
    chain: tuple[bytes, ...]
    consumers: tuple[str, ...] = (SYSTEM,)
    strict: bool = False
    source: str = ""

    def __str__(self) -> str:
        return str(self.address)

    @property
    def identity(self) -> list[str]:
        """What is asked for, as text, whatever file it comes from."""
        digests = [hashlib.sha256(der).hexdigest() for der in self.chain]
        return [str(self), str(self.strict), *sorted(self.consumers), *digests]


def parse_address(text: str) -> Address:
    """Return the address that ``NAME``, ``NAME:PORT``, ``192.0.2.1:443``, ``[2001:db8::1]:443`` or the like means.

    Raises UsageError with a sentence for anything else.
    """
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text, re.DOTALL)
    if bracketed:
        name, port = bracketed[1], bracketed[2]
        if ":" not in name:
            raise UsageError(f"'{text}': brackets are for IPv6 addresses")
    elif text.count(":") > 1:
        name, port = text, None
    else:
        name, colon, rest = text.partition(":")
        port = rest if colon else None
    return Address(check_name(name), None if port is None else _port(port, text))


def check_name(text: str) -> str:
    """Return a host's name, or its IP address, in its usual form. Raises UsageError if no certificate can be for it."""
    try:
        return str(ipaddress.ip_address(text.replace("%", "?")))  # no zone: a certificate cannot name one
    except ValueError:
        name = text.removesuffix(".").lower()
    if ":" in text or re.fullmatch(r"[0-9.]+", text):
        raise UsageError(f"'{text}' is no IP address")
    if len(name) > 253 or not _DNS_NAME.fullmatch(name):
        hint = "letters, digits and hyphens between dots; names with other letters in their xn-- form"
        raise UsageError(f"'{text}' is no host name that a certificate can be for", hint)
    return name


def _port(text: str, whole: str) -> int:
    if not _PORT.fullmatch(text) or not 1 <= int(text) <= 65535:
        raise UsageError(f"'{whole}': a port is a number from 1 to 65535")
    return int(text)
