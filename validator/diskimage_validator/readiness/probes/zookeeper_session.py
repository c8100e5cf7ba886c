"""A session with one ZooKeeper server, in the words of kazoo's protocol.

Not kazoo's client: it resolves names as this host does, trusts the CAs of this host besides those that it is given, and
tells of a failure only that time ran out. Here are only the steps that it takes, over a connection that was verified.
"""

import contextlib
import ssl
import struct
from collections.abc import Iterator
from typing import Final

from kazoo.exceptions import EXCEPTIONS
from kazoo.protocol.serialization import Auth, Close, Connect, GetData, ReplyHeader, int_int_struct, int_struct

from diskimage_validator.readiness.probes.links import BrokenError

MAX_PACKET: Final = 1024 * 1024
"""Bytes: the default of ``jute.maxbuffer``."""
AUTH_XID: Final = -4
NO_NODE: Final = -101
NO_AUTH: Final = -102
UNAUTHENTICATED: Final = -124
"""kazoo calls it SessionClosedRequireSaslError, but ``enforce.auth.schemes`` may be digest as well."""
MAX_REPLIES: Final = 10
"""How many answers may come that are to nothing that was asked."""
LENGTH: Final = 4


class Session:
    """An open session. Nothing is ever written into the tree."""

    def __init__(self, link: ssl.SSLSocket) -> None:
        self._link = link
        self._xid = 0

    def authenticate(self, credentials: str) -> None:
        """Show ``USER:PASSWORD`` of the digest scheme. Raises BrokenError; that they are wrong shows only at an ACL."""
        self._send(int_int_struct.pack(AUTH_XID, Auth.type) + Auth(0, "digest", credentials).serialize())
        error, _ = self._reply(AUTH_XID)
        if error:
            raise BrokenError("denied", f"the digest is refused: {_name(error)}")

    def read(self, path: str) -> bytes:
        """Return the data of a node. Raises BrokenError, of the kind ``absent`` where it is missing or forbidden."""
        error, packet = self._ask(GetData.type, GetData(path, False).serialize())
        if error == NO_NODE:
            raise BrokenError("absent", f"there is no node {path}")
        if error == NO_AUTH:
            raise BrokenError("absent", f"this client may not read the node {path}")
        if error == UNAUTHENTICATED:
            raise BrokenError("denied", "the server ends sessions that do not authenticate themselves")
        if error:
            raise BrokenError("session", f"the server refuses to read {path}: {_name(error)}")
        try:
            data, _ = GetData.deserialize(packet, 0)
        except (struct.error, ValueError) as failure:
            raise BrokenError("protocol", f"a damaged answer about the node {path}") from failure
        return bytes(data or b"")

    def close(self) -> None:
        """End the session: else the server keeps it until it times out. Raises BrokenError if it is not ended."""
        error, _ = self._ask(Close.type, b"")
        if error:
            raise BrokenError("session", f"the server does not close the session: {_name(error)}")

    def _ask(self, kind: int, body: bytes) -> tuple[int, bytes]:
        self._xid += 1
        self._send(int_int_struct.pack(self._xid, kind) + body)
        return self._reply(self._xid)

    def _send(self, packet: bytes) -> None:
        self._link.sendall(int_struct.pack(len(packet)) + packet)

    def _reply(self, xid: int) -> tuple[int, bytes]:
        """Return the error (0 for none) and the rest of the answer to ``xid``."""
        for _ in range(MAX_REPLIES):
            packet = _packet(self._link)
            try:
                header, offset = ReplyHeader.deserialize(packet, 0)
            except struct.error as error:
                raise BrokenError("protocol", "a damaged answer") from error
            if header.xid == xid:
                return header.err, packet[offset:]
        raise BrokenError("protocol", "the server does not answer what it was asked")


@contextlib.contextmanager
def session(link: ssl.SSLSocket, timeout: float) -> Iterator[Session]:
    """Open a session of ``timeout`` seconds, and close it in the end. Raises BrokenError, or OSError of the link."""
    asked = Connect(0, 0, int(timeout * 1000), 0, bytes(16), False).serialize()
    link.sendall(int_struct.pack(len(asked)) + asked)
    try:
        granted, _ = Connect.deserialize(_packet(link), 0)
    except struct.error as error:
        raise BrokenError("protocol", "a damaged answer instead of a session") from error
    if granted.time_out <= 0:
        raise BrokenError("session", "the server opens no session")
    opened = Session(link)
    try:
        yield opened
    except BaseException:
        with contextlib.suppress(BrokenError, OSError):
            opened.close()
        raise
    opened.close()


def _packet(link: ssl.SSLSocket) -> bytes:
    size: int = int_struct.unpack(_exactly(link, LENGTH))[0]
    if not 0 <= size <= MAX_PACKET:
        raise BrokenError("protocol", "what answers does not speak ZooKeeper's protocol")
    return _exactly(link, size)


def _exactly(link: ssl.SSLSocket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = link.recv(size - len(data))
        if not more:
            raise BrokenError("session", "the server closed the connection: it serves no sessions, or not us")
        data += more
    return data


def _name(error: int) -> str:
    return EXCEPTIONS[error].__name__ if error in EXCEPTIONS else f"error {error}"
