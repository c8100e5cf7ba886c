"""One HTTP request over verified TLS (RFC 9110, RFC 9112): bounded in time and size, no proxy, no redirection.

Whoever answers may be anybody: the time limit holds for the whole exchange, however slowly the bytes come.
"""

import http.client
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from diskimage_validator.endpoints import Address, parse_address
from diskimage_validator.errors import UsageError
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import printable
from diskimage_validator.readiness.probes.authorities import verifying
from diskimage_validator.readiness.probes.dns import NoAnswerError, address_of
from diskimage_validator.readiness.probes.means import Means

MAX_BODY: Final = 4 * 1024 * 1024
HTTPS: Final = 443


class NoReplyError(Exception):
    """A server gave no answer that can be used; the text says why, as a sentence."""


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
) -> Reply:
    """Send a request to ``url`` (https) and return what is answered, ``limit`` bytes of its body at most.

    Raises NoReplyError if there is no answer, or, with ``whole``, if it is larger.
    """
    parts = urllib.parse.urlsplit(url)
    address = _address(parts)
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    deadline = time.monotonic() + means.timeout
    with _connected(address, means, deadline) as link:
        connection = http.client.HTTPSConnection(address.name, address.port)
        connection.sock = link
        sent = {"Host": parts.netloc, "Connection": "close", "Accept-Encoding": "identity", **(headers or {})}
        connection.request(method, target, body or None, sent)
        with connection.getresponse() as response:
            data = response.read(limit + 1)
            if whole and len(data) > limit:
                raise NoReplyError(f"{address}: an answer of more than {limit // 1024 // 1024} MiB")
            if len(data) <= limit and (response.length or time.monotonic() >= deadline):
                raise http.client.IncompleteRead(data)
            named = {name.lower(): value for name, value in reversed(response.getheaders())}
            return Reply(response.status, named, data[:limit])


def _address(parts: urllib.parse.SplitResult) -> Address:
    """Return where the server is. Raises NoReplyError for what is no https: another server may have named it."""
    try:
        address = parse_address(parts.netloc)
    except UsageError as error:
        raise NoReplyError(f"{printable(parts.geturl(), 200)}: {error.message}") from error
    if parts.scheme != "https":
        raise NoReplyError(f"{printable(parts.geturl(), 200)}: without TLS")
    return Address(address.name, address.port or HTTPS)


@contextmanager
def _connected(address: Address, means: Means, deadline: float) -> Iterator[ssl.SSLSocket]:
    """Give a verified connection, which is cut at ``deadline``, and say what became of it as a NoReplyError."""
    silent = NoReplyError(f"{address} gave no complete answer in {means.timeout:g} s")
    try:
        ip = address.name if address.ip else address_of(address.name, means.resolvers, means.timeout)
        link = socket.create_connection((ip, address.port), max(0.1, deadline - time.monotonic()))
    except TimeoutError as error:
        raise NoReplyError(f"{address}: no connection in {means.timeout:g} s") from error
    except (NoAnswerError, OSError) as error:
        raise NoReplyError(f"{address}: {getattr(error, 'strerror', None) or error}") from error
    context = verifying(means.authorities)
    with link, context.wrap_socket(link, server_hostname=address.name, do_handshake_on_connect=False) as tls:
        # A limit per recv(2) would let a server send a byte now and then for ever.
        watch = threading.Timer(max(0.1, deadline - time.monotonic()), _cut, (tls,))
        watch.daemon = True
        watch.start()
        try:
            tls.do_handshake()
            yield tls
        except NoReplyError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            if time.monotonic() >= deadline or isinstance(error, TimeoutError):
                raise silent from error
            raise NoReplyError(f"{address}: {_reason(error)}") from error
        finally:
            watch.cancel()


def _cut(tls: ssl.SSLSocket) -> None:
    """End what is being read or written. SSLSocket.shutdown would take the session away under the other thread."""
    try:
        socket.socket.shutdown(tls, socket.SHUT_RDWR)
    except OSError:
        return  # it has ended by itself


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not verify: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or str(error)).lower().replace('_', ' ')}"
    if isinstance(error, http.client.RemoteDisconnected):
        return "the connection was closed instead of an answer"
    if isinstance(error, http.client.IncompleteRead):
        return "the answer ends too early"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"what answers is no HTTP: {printable(str(error), 200)}"
