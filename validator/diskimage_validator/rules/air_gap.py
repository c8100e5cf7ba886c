"""Rules about what the image would contact, and whether it would verify whom it talks to."""

import ipaddress
import re
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, PlainSerializer
from pydantic_core import PydanticCustomError

from diskimage_validator.frozen import dataclass
from diskimage_validator.rules.base import Model

Kind = Literal[
    "apt", "dnf", "zypper", "pip", "npm", "git", "docker", "containers", "short-names", "buildkit", "ntp", "resolver",
    "environment",
]  # fmt: skip
"""Whose configuration an endpoint or a switch is in."""
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._*?-]+)(?::([0-9]{1,5}))?")
_LOCAL: Final = ("localhost", "localhost.localdomain")


@dataclass(frozen=True)
class HostPattern:
    """What is allowed: a host name with the wildcards of fnmatch(3), an address or a network; maybe one port only."""

    text: str
    host: str
    port: int | None
    network: Network | None

    def __str__(self) -> str:
        return self.text

    def matches(self, host: str, port: int | None) -> bool:
        """Whether a host (lower case, no brackets) and port are allowed. A network has addresses, never names."""
        if self.port is not None and port != self.port:
            return False
        if self.network is None:
            return fnmatchcase(host, self.host)
        address = _address(host)
        return address is not None and address in self.network


def parse_host_pattern(text: str) -> HostPattern:
    """Return the pattern that ``text`` spells. Raises ValueError with what is wanted."""
    network = _network(text)
    if network is not None:
        return HostPattern(text, "", None, network)
    match = _HOST.fullmatch(text)
    if not match or (text.startswith("[") and _address(match[1].strip("[]")) is None):
        raise ValueError(
            "a host such as '*.internal', 'mirror.internal:8080' or '10.0.0.0/8' is wanted, without scheme"
        )
    port = int(match[2]) if match[2] else None
    host = match[1].strip("[]").lower()
    return HostPattern(text, host, port, _network(host))


def is_local(host: str) -> bool:
    """Whether this is the machine itself: no host at all, localhost, a loopback address."""
    address = _address(host)
    return not host or host in _LOCAL or (address is not None and address.is_loopback)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def _pattern(value: Any) -> HostPattern:
    if not isinstance(value, str):
        raise PydanticCustomError("text", "a host pattern is wanted, as text")
    try:
        return parse_host_pattern(value)
    except ValueError as error:
        raise PydanticCustomError("host_pattern", "{reason}", {"reason": str(error)}) from error


HostPatternField = Annotated[HostPattern, BeforeValidator(_pattern), PlainSerializer(str)]


class AirGapRules(Model):
    """``allowed``: hosts that configuration may name, besides the machine itself; left out, none are judged.

    ``ignore``: kinds of configuration whose hosts are not judged; ``verification``: nothing may switch verification
    off; ``repository_signatures``: dnf has to verify signatures of repositories, too; ``sources``: the package manager
    has to have a source.
    """

    allowed: list[HostPatternField] | None = None
    ignore: list[Kind] = []
    verification: bool = False
    repository_signatures: bool = False
    sources: bool = False
