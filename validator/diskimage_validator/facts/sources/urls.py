"""What a URL, or a bare host, of a configuration file leads to, and how to show it without its password.

Not urllib: tools accept what it refuses (``mirror+https:``, ``git@host:path``, an unclosed bracket), and a URL that
nobody can parse must end up as a host that no list allows, not as an exception.
"""

import ipaddress
import re
from typing import Final

from diskimage_validator.frozen import dataclass

LOCAL_SCHEMES: Final = frozenset({"cd", "cdrom", "copy", "dir", "dvd", "file", "hd", "iso", "mirror+file", "unix"})
"""Schemes that name a place on the machine itself: apt-transport-*(1), zypper(8) "Repository URI", npm."""
MAX_LENGTH: Final = 1_000
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?=/|$)(?://)?")
_SCP: Final = re.compile(r"(?:([^@/\s:]*)@)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?!\d+(?:/|$))[^@]*$")


@dataclass(frozen=True)
class Location:
    """A place, without the password that led there.

    ``shown``: the text without password and query; ``host``: in lower case, an address without brackets, empty for a
    place on the machine itself; ``port``: None if none is named; ``credentials``: there was a password or token.
    """

    shown: str
    host: str
    port: int | None
    credentials: bool


def locate(text: str, *, schemeless: str = "host") -> Location:
    """Return where ``text`` leads to. ``schemeless``: what a text without a scheme is, a ``host`` or a ``path``."""
    text = text.strip()[:MAX_LENGTH]
    match = _SCHEME.match(text)
    if match:
        return _with_scheme(text, match)
    if schemeless == "path":
        scheme, colon, _ = text.partition(":")
        local = not colon or "/" in scheme or scheme.lower() in LOCAL_SCHEMES  # cdrom:[Debian 12]/, /srv/a:b
        return Location(text, "", None, False) if local else Location(scheme, f"{scheme.lower()}:", None, False)
    if (scp := _SCP.match(text)) and text.count(":") == 1:  # git's user@host:path
        return Location(text, *_host(scp[2]), False)
    authority, rest = _split(text)
    user, at, host = authority.rpartition("@")
    return Location(f"{'***@' if at else ''}{host}{_without_query(rest)}", *_host(host), bool(user))


def _with_scheme(text: str, match: re.Match[str]) -> Location:
    scheme = match[1].lower()
    if scheme in LOCAL_SCHEMES:
        return Location(_without_query(text), "", None, False)
    authority, rest = _split(text[match.end() :])
    user, at, host = authority.rpartition("@")
    secret = bool(user) and (":" in user or not scheme.endswith("ssh"))
    shown_user = "***" if secret else user
    shown = f"{match[0]}{shown_user}{at}{host}{_without_query(rest)}"
    return Location(shown, *_host(authority if "\\" in authority else host), secret or "?" in rest)


def _split(text: str) -> tuple[str, str]:
    end = re.search(r"[/?#]", text)
    return (text[: end.start()], text[end.start() :]) if end else (text, "")


def _without_query(text: str) -> str:
    """Queries may hold tokens."""
    before, mark, _ = text.partition("?")
    return f"{before}?..." if mark else before


def _host(authority: str) -> tuple[str, int | None]:
    """Return host and port. What is no number is no port, and then part of a host that no list has."""
    if "\\" in authority:  # for some tools the host ends here
        return authority.lower(), None
    if _is_address(authority):  # an IPv6 address without brackets
        return authority.lower(), None
    host, colon, port = authority.rpartition(":")
    if colon and port.isascii() and port.isdigit() and len(port) <= 5:
        return _plain(host), int(port)
    return _plain(authority), None


def _plain(host: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1].lower()
    return host.rstrip(".").lower() or "(no host)"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
