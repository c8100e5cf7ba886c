"""Connections that cost no more than is allowed, whoever reads from them, and their failures in words.

Client libraries have a time limit for each read, and believe the length that a server announces. Here a meter ends the
whole conversation in time, and after so many bytes: it is in the sockets themselves, so libraries can be given them.
"""

import errno
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from diskimage_validator.endpoints import Address
from diskimage_validator.printable import printable
from diskimage_validator.readiness.facts.tls import Knock
from diskimage_validator.readiness.facts.trouble import Kind, Trouble
from diskimage_validator.readiness.probes.dns import NoAnswerError, address_of
from diskimage_validator.readiness.probes.means import Means

MAX_BYTES: Final = 2 * 1024 * 1024
"""Bytes of a whole conversation."""
ABOUT_CLIENTS: Final = ("certificate", "unknown ca", "access denied", "decrypt error")
"""In the names of alerts about a client's certificate."""
ENDED: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
HUNG_UP: Final = (ConnectionResetError, BrokenPipeError, *ENDED)
"""How some servers refuse a client, instead of with words of theirs."""
MAX_REASON: Final = 300
"""Characters of what a server says."""
CLOSED: Final = "closes the connection instead of an answer"
"""What is said of them."""
_NO_WAY: Final = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM})

Returned = TypeVar("Returned")


class BrokenError(Exception):
    """A service could not be talked to; ``trouble`` says why. As a text it begins with the service, if that is told."""

    def __init__(self, kind: Kind, text: str) -> None:
        super().__init__(text)
        self.trouble = Trouble(kind, printable(" ".join(text.split()), MAX_REASON))
        self._place = ""

    def at(self, address: Address) -> "BrokenError":
        """Return the same about the service at ``address``, for those who do not say it themselves."""
        self._place = f"{address}: "
        return self

    def __str__(self) -> str:
        return f"{self._place}{self.trouble}"


def silence(timeout: float) -> str:
    """Return what is said of a service that does not answer in time."""
    return f"silent, no whole answer within {timeout:g} s"


class Meter:
    """What a conversation may take: ``timeout`` seconds from now, and ``room`` bytes that are received.

    Who renews it has that time for each part of the conversation, and ``most`` seconds for the whole.
    """

    def __init__(self, timeout: float, room: int = MAX_BYTES, most: float = 0.0) -> None:
        self.timeout = timeout
        self._most = max(timeout, most)
        self._end = time.monotonic() + self._most
        self._deadline = time.monotonic() + timeout
        self._room = room

    def renew(self) -> None:
        """Count from now again: a part of what is wanted has come."""
        self._deadline = min(time.monotonic() + self.timeout, self._end)

    def left(self) -> float:
        """Return how many seconds are left. Raises TimeoutError if there are none."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self.over()
        return left

    def over(self) -> TimeoutError:
        """Return the error of who has no time left."""
        late = self._most > self.timeout and self._deadline == self._end
        said = f"not complete after {self._most:g} s" if late else silence(self.timeout)
        return TimeoutError(errno.ETIMEDOUT, said)

    def timed(self, call: Callable[..., Returned], *arguments: Any, **named: Any) -> Returned:
        """Return what ``call`` returns, which waits on a socket. Raises what that raises, a TimeoutError as ours."""
        try:
            return call(*arguments, **named)
        except TimeoutError:
            pass
        raise self.over()  # out of the except clause: it is the first error, and follows from no other

    def took(self, size: int) -> None:
        """Note that ``size`` bytes came. Raises OSError if these were too many."""
        self._room -= size
        if self._room < 0:
            raise OSError(errno.EMSGSIZE, "the server sends more than such an answer can have")


class Metered(socket.socket):
    """A socket that asks its ``meter`` before it waits."""

    meter: Meter

    def recv(self, *arguments: Any) -> bytes:
        """Do as socket.recv does. Raises TimeoutError or OSError when the meter ends it."""
        self.settimeout(self.meter.left())
        data = self.meter.timed(super().recv, *arguments)
        self.meter.took(len(data))
        return data

    def recv_into(self, *arguments: Any) -> int:
        """Do as socket.recv_into does. Raises TimeoutError or OSError when the meter ends it."""
        self.settimeout(self.meter.left())
        size = self.meter.timed(super().recv_into, *arguments)
        self.meter.took(size)
        return size


class _MeteredTls(Metered, ssl.SSLSocket):
    """The same over TLS."""

    def send(self, *arguments: Any) -> int:
        """Do as SSLSocket.send does; where the server has left, raise the alert by which it said why, if it did."""
        try:
            return super().send(*arguments)
        except OSError as error:
            failure = error
        self.recv(1)  # out of the except clause: the alert is the first error, and follows from no other
        raise failure


def metered(context: ssl.SSLContext, meter: Meter) -> ssl.SSLContext:
    """Return ``context``, whose connections ask ``meter`` from now on (SSLContext.sslsocket_class)."""
    context.sslsocket_class = type("MeteredTls", (_MeteredTls,), {"meter": meter})
    return context


def dial(address: Address, means: Means, meter: Meter) -> Metered:
    """Return a connection to ``address``, which has a port. Raises BrokenError."""
    try:
        ip = address.name if address.ip else address_of(address.name, means.resolvers, meter.left())
    except NoAnswerError as error:
        raise BrokenError("name", str(error)) from error
    try:
        plain = meter.timed(socket.create_connection, (ip, address.port or 0), meter.left())
    except OSError as error:
        raise BrokenError(_kind(error), f"no connection to {ip}: {words(error)}") from error
    link = Metered(fileno=plain.detach())
    link.meter = meter
    link.settimeout(meter.timeout)
    return link


def secure(link: Metered, address: Address, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Return ``link`` with TLS, the server verified as ``context`` does, by the name of ``address``.

    Raises BrokenError, and then the connection is closed.
    """
    try:
        link.settimeout(link.meter.left())
        return link.meter.timed(context.wrap_socket, link, server_hostname=address.name)
    except OSError as error:
        link.close()
        raise broken(error) from error


def broken(error: OSError) -> BrokenError:
    """Return what an error of a connection means. In TLS 1.3 a client is refused after the handshake."""
    if isinstance(error, HUNG_UP):
        return BrokenError("refused", CLOSED)
    if isinstance(error, ssl.SSLCertVerificationError):
        return BrokenError("tls", f"its certificate does not verify: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        reason = _tls(error)
        if is_alert(error) and any(word in reason for word in ABOUT_CLIENTS):
            return BrokenError("client", f"the server refuses this client: {reason}")
        return BrokenError("tls", reason)
    text = words(error)
    return BrokenError(_kind(error), text if isinstance(error, TimeoutError) else f"the connection failed: {text}")


def _tls(error: ssl.SSLError) -> str:
    return f"TLS: {(error.reason or str(error)).lower().replace('_', ' ')}"


def _kind(error: OSError) -> Kind:
    if isinstance(error, TimeoutError):
        return "silent"
    if error.errno == errno.EMSGSIZE:
        return "answer"
    return "unreachable" if error.errno in _NO_WAY else "refused"


def is_alert(error: BaseException | None) -> bool:
    """Return whether an error is what the server said of ours (RFC 8446, 6.2), and not our own."""
    return isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or "")


def turned_away(error: BrokenError) -> Knock:
    """Return what became of a client that got no further: it was refused, or that cannot be told."""
    cause = error.__cause__
    if isinstance(cause, ssl.SSLError) and is_alert(cause):
        return Knock("refused", _tls(cause))
    return Knock("refused" if isinstance(cause, HUNG_UP) else "failed", error.trouble.text)


def first_of(error: BaseException, kinds: tuple[type[BaseException], ...]) -> BaseException:
    """Return the first error of ``kinds`` in what led to ``error``, which is itself where there is none.

    After an error client libraries say goodbye, and raise another one where that fails as well.
    """
    found, step = error, error.__context__
    while step is not None:
        if isinstance(step, kinds):
            found = step
        step = step.__context__
    return found


def words(error: OSError) -> str:
    """Return what went wrong with a connection, for people."""
    if isinstance(error, ConnectionRefusedError):
        return "refused, nobody listens there"
    if isinstance(error, HUNG_UP):
        return CLOSED
    if isinstance(error, TimeoutError):
        return error.strerror or "silent, no whole answer in time"
    return (error.strerror or str(error)).lower()
