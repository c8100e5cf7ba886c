"""One GET of a web service (RFC 9110, RFC 9112): verified, bounded in time and size, and nobody else is contacted.

Redirections are not followed: they lead to places that the factory does not name. Proxies of the environment are not
used either, for the same reason.
"""

import contextlib
import errno
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Final, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, TypeAdapter, ValidationError

from diskimage_validator.endpoints import Address
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import printable
from diskimage_validator.readiness.facts.web import Kind, NoAnswer
from diskimage_validator.readiness.probes.authorities import verifying
from diskimage_validator.readiness.probes.dns import NoAnswerError, address_of
from diskimage_validator.readiness.probes.means import Means

MAX_ANSWER: Final = 4 * 1024 * 1024
"""Bytes of a body."""
MAX_VALUES: Final = 200_000
"""Values in a JSON text: each may become an error of a kilobyte, if all of them are wrong."""
MAX_TEXT: Final = 200
"""Characters of a name or a version that a service tells."""
AGENT: Final = "diskimage-validator"
_NO_WAY: Final = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM})
_KINDS: Final[Mapping[int, Kind]] = {401: "denied", 403: "denied", 404: "absent"}

Answer = TypeVar("Answer")
Text = Annotated[str, AfterValidator(lambda text: printable(text, MAX_TEXT))]
"""A string that somebody else wrote, for reports."""


class WebError(Exception):
    """There is no answer that can be used; ``answer`` says why."""

    def __init__(self, kind: Kind, reason: str) -> None:
        super().__init__(reason)
        self.answer = NoAnswer(kind, reason)


@dataclass(frozen=True)
class Page:
    """What came back, of any status."""

    status: int
    content_type: str
    body: bytes
    location: str


def fetch_json(
    url: str,
    form: TypeAdapter[Answer],
    means: Means,
    headers: Mapping[str, str] = {},
    *,
    prefix: bytes = b"",
) -> Answer:
    """Return the JSON at ``url`` in its ``form``, without ``prefix`` if it begins with that. Raises WebError."""
    page = good(fetch(url, means, {"Accept": "application/json", **headers}))
    if sum(map(page.body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise WebError("answer", f"answers with more than {MAX_VALUES} values")
    try:
        return form.validate_json(page.body.removeprefix(prefix))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            kind = f"Content-Type {printable(page.content_type, 60)}" if page.content_type else "without a Content-Type"
            raise WebError("answer", f"answers with something else than JSON ({kind})") from error
        where = printable(".".join(map(str, first["loc"])), 60)
        raise WebError(
            "answer", f"answers with other JSON than is expected: {where or 'it'}: {first['msg']}"
        ) from error


def good(page: Page) -> Page:
    """Return a page whose status is 200. Raises WebError for any other."""
    if page.status == 200:
        return page
    if 300 <= page.status < 400 and page.location:
        raise WebError("redirect", f"redirects to {printable(page.location, MAX_TEXT)}")
    name = http.client.responses.get(page.status, "")
    raise WebError(_KINDS.get(page.status, "status"), f"answers with status {page.status} {name}".rstrip())


def fetch(url: str, means: Means, headers: Mapping[str, str]) -> Page:
    """Return what is at ``url``, which is in the form that the rules let pass. Raises WebError.

    ``means.timeout`` is for finding the address, and again for all the rest.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    address = Address(parts.hostname or "", parts.port or (443 if secure else 80))
    make = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = make(address.name, address.port)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with contextlib.closing(connection), _link(address, means, secure=secure) as link:
        connection.sock = link
        connection.request("GET", target, headers={"User-Agent": AGENT, "Connection": "close", **headers})
        response = connection.getresponse()
        body = response.read(MAX_ANSWER + 1)
        if len(body) > MAX_ANSWER:
            raise WebError("answer", f"answers with more than {MAX_ANSWER // 1024 // 1024} MiB")
        if response.length:  # http.client tells of an early end only whoever reads without a limit
            raise http.client.IncompleteRead(body)
        kind, location = (response.headers.get(name, "") for name in ("Content-Type", "Location"))
        return Page(response.status, kind, body, location)


@contextlib.contextmanager
def _link(address: Address, means: Means, *, secure: bool) -> Iterator[socket.socket]:
    """Give a connection that ends when the time is over, however slowly the other side speaks. Raises WebError."""
    timeout = means.timeout
    silent = WebError("silent", f"gave no whole answer within {timeout:g} s")
    try:
        ip = address.name if address.ip else address_of(address.name, means.resolvers, timeout)
    except NoAnswerError as error:
        raise WebError("name", str(error)) from error
    deadline = time.monotonic() + timeout
    try:
        with socket.create_connection((ip, address.port or 0), timeout) as link, _ending(link, deadline):
            if secure:
                with verifying(means.authorities).wrap_socket(link, server_hostname=address.name) as tls:
                    yield tls
            else:
                yield link
            if time.monotonic() >= deadline:  # an end that we made, which headers take for theirs
                raise silent
    except (OSError, http.client.HTTPException) as error:
        raise (silent if time.monotonic() >= deadline else explained(error)) from error


@contextlib.contextmanager
def _ending(link: socket.socket, deadline: float) -> Iterator[None]:
    """Shut a connection down at ``deadline``: a time limit of a socket begins anew with every byte."""
    with link.dup() as same:
        timer = threading.Timer(deadline - time.monotonic(), _shut, [same])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _shut(link: socket.socket) -> None:
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)


def explained(error: Exception) -> WebError:
    """Return what an error of a connection, of TLS or of HTTP means."""
    if isinstance(error, TimeoutError):
        return WebError("silent", "the connection timed out")
    if isinstance(error, ssl.SSLCertVerificationError):
        return WebError("tls", f"its certificate does not verify: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        return WebError("tls", f"TLS fails: {(error.reason or str(error)).lower().replace('_', ' ')}")
    if isinstance(error, ConnectionResetError | BrokenPipeError | http.client.IncompleteRead):
        return WebError("refused", "closes the connection instead of an answer")
    if isinstance(error, http.client.HTTPException):
        return WebError("answer", f"does not speak HTTP: {printable(str(error), 60) or type(error).__name__}")
    number = getattr(error, "errno", None)
    kind: Kind = "unreachable" if number in _NO_WAY else "refused"
    return WebError(kind, f"no connection: {getattr(error, 'strerror', None) or error}")
