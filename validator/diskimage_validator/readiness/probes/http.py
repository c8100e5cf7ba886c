"""One HTTP request (RFC 9110, RFC 9112): verified, bounded in time and size, no proxy, no redirection.

Redirections and the proxies of the environment lead to places that the factory does not name. Whoever answers may be
anybody: the limits hold for the whole exchange, however slowly the bytes come.
"""

import contextlib
import http.client
import socket
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Final

from diskimage_validator.endpoints import Address, parse_address
from diskimage_validator.errors import UsageError
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import printable
from diskimage_validator.readiness.probes.authorities import verifying
from diskimage_validator.readiness.probes.links import BrokenError, Meter, broken, dial, metered, secure
from diskimage_validator.readiness.probes.means import Means

MAX_BODY: Final = 4 * 1024 * 1024
MAX_HEAD: Final = 256 * 1024
"""Bytes of a status and headers."""
FRAMES: Final = 2
"""How many times its size a body may take on its way, in chunks."""
AGENT: Final = "diskimage-validator"
PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Reply:
    """An answer. ``headers``: by their names in lower case, the first of each."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def said(self) -> str:
        """The status, and whereto a redirection leads, for messages."""
        place = self.headers.get("location", "")
        return f"HTTP status {self.status}" + (f", to {printable(place, 200)}" if place and self.status < 400 else "")


def ask_http(
    means: Means,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    limit: int = MAX_BODY,
    whole: bool = True,
    plain: bool = False,
) -> Reply:
    """Send a request to ``url`` and return what is answered, ``limit`` bytes of its body at most.

    Without ``plain`` only https will do. Raises BrokenError, with the server as its place, if there is no answer, or,
    with ``whole``, if it is larger.
    """
    meter = Meter(means.timeout, room_for(limit))
    with requested(means, meter, method, url, headers=headers, body=body, plain=plain) as response:
        return _read(response, limit, whole=whole)


def room_for(size: int) -> int:
    """Return how many bytes an answer with a body of ``size`` may take in all."""
    return FRAMES * size + MAX_HEAD


@contextlib.contextmanager
def requested(
    means: Means,
    meter: Meter,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    plain: bool = False,
) -> Iterator[http.client.HTTPResponse]:
    """Send a request to ``url`` and give what is answered, its body still to be read, as long as ``meter`` allows.

    Without ``plain`` only https will do. Raises BrokenError, with the server as its place, also for errors while the
    body is read in the block.
    """
    parts, address = _place(url, plain=plain)
    sent = {"Host": parts.netloc, "User-Agent": AGENT, "Connection": "close", "Accept-Encoding": "identity"}
    connection = http.client.HTTPConnection(address.name, address.port)
    try:
        with _connected(address, means, meter, tls=parts.scheme == "https") as link:
            connection.sock = link
            target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
            connection.request(method, target, body or None, {**sent, **(headers or {})})
            with connection.getresponse() as response:
                yield response
    except (BrokenError, OSError, http.client.HTTPException, ValueError) as error:
        raise explained(error).at(address) from error


def _connected(address: Address, means: Means, meter: Meter, *, tls: bool) -> socket.socket:
    link = dial(address, means, meter)
    return secure(link, address, metered(verifying(means.authorities), meter)) if tls else link


def _place(url: str, *, plain: bool) -> tuple[urllib.parse.SplitResult, Address]:
    """Return a URL, and where its server is. Raises BrokenError for what is none: another server may have named it."""
    try:
        parts = urllib.parse.urlsplit(url)
        address = parse_address(parts.netloc)
    except (UsageError, ValueError) as error:
        raise BrokenError("answer", f"{printable(url, 200)}: {getattr(error, 'message', error)}") from error
    if parts.scheme != "https" and not (plain and parts.scheme == "http"):
        raise BrokenError("answer", f"{printable(url, 200)}: without TLS")
    return parts, Address(address.name, address.port or PORTS[parts.scheme])


def _read(response: http.client.HTTPResponse, limit: int, *, whole: bool) -> Reply:
    data = response.read(limit + 1)
    if whole and len(data) > limit:
        raise BrokenError("answer", f"answers with more than {limit // 1024 // 1024} MiB")
    if len(data) <= limit and response.length:  # http.client tells of an early end only whoever reads without a limit
        raise http.client.IncompleteRead(data)
    named = {name.lower(): value for name, value in reversed(response.getheaders())}
    return Reply(response.status, named, data[:limit])


def explained(error: Exception) -> BrokenError:
    """Return what an error of a connection or of HTTP means."""
    if isinstance(error, BrokenError):
        return error
    if isinstance(error, http.client.IncompleteRead):
        return BrokenError("refused", "the answer ends too early")
    if isinstance(error, OSError):
        return broken(error)
    said = printable(str(error), 60) or type(error).__name__
    return BrokenError("protocol", f"what answers does not speak HTTP: {said}")
