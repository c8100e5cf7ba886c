"""A client of the Network Block Device protocol that reads, and nothing else.

Source: doc/proto.md of the project NetworkBlockDevice/nbd. The handshake is "fixed newstyle" with NBD_OPT_GO; neither
structured replies nor TLS are asked for, and no command but READ and DISC is ever sent. All numbers are big-endian.
"""

import contextlib
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import Final

from diskimage_validator.errors import DeclinedError

MAGIC: Final = b"NBDMAGIC"
OPTION_MAGIC: Final = b"IHAVEOPT"
OPTION_REPLY_MAGIC: Final = 0x0003E889045565A9
REQUEST_MAGIC: Final = 0x25609513
REPLY_MAGIC: Final = 0x67446698

FIXED_NEWSTYLE: Final = 1
NO_ZEROES: Final = 2
OPT_GO: Final = 7
REP_ACK: Final = 1
REP_INFO: Final = 3
REP_ERROR: Final = 1 << 31
INFO_EXPORT: Final = 0
INFO_BLOCK_SIZE: Final = 3
HAS_FLAGS: Final = 1
READ_ONLY: Final = 2
CMD_READ: Final = 0
CMD_DISC: Final = 2

MAX_REQUEST: Final = 4 * 1024 * 1024
"""Bytes of one request. A server has to take 32 MiB; less keeps its memory small, and it answers sooner."""
MAX_OPTION_REPLY: Final = 64 * 1024
MAX_OPTION_REPLIES: Final = 100
REPLY_TIMEOUT: Final = 30.0
"""Seconds that a reply may take in all: a hanging server must not hang us."""


class NbdClient:
    """The default export behind ``connection``, a connected socket that belongs to the client from now on.

    ``size`` is in bytes; reads have to begin and end at multiples of ``alignment`` bytes. Everything here raises
    DeclinedError if the server does not keep to the protocol, dies, or takes more than ``timeout`` seconds.
    """

    def __init__(self, connection: socket.socket, *, timeout: float = REPLY_TIMEOUT) -> None:
        self._socket = connection
        self._socket.settimeout(timeout)
        self._cookie = 0
        self._awaited: dict[int, memoryview] = {}
        """What was asked for and did not come yet, by cookie: where it goes to."""
        self._refused: dict[int, int] = {}
        """Errors of what was asked for, by cookie."""
        self.size = 0
        self.alignment = 1
        self._max_request = MAX_REQUEST
        try:
            self._handshake()
        except BaseException:
            self._socket.close()
            raise

    def read(self, offset: int, length: int) -> bytearray:
        """Return exactly ``length`` bytes from ``offset``, in bytes, of the export."""
        self._check(offset, length)
        if 0 < length <= self._max_request:
            return self.begin(offset, length)()
        data = bytearray()
        while len(data) < length:  # one by one: a server holds the whole of each answer
            data += self.begin(offset + len(data), min(length - len(data), self._max_request))()
        return data

    def begin(self, offset: int, length: int) -> Callable[[], bytearray]:
        """Ask for what ``read`` returns, of one request at most, and return a function that waits for it.

        The server may be at work on several at once, and answers them in any order. Who asks for much without taking
        it keeps the server from answering others.
        """
        self._check(offset, length)
        data = bytearray(length)
        self._cookie += 1
        self._awaited[self._cookie] = memoryview(data)
        self._send(struct.pack(">IHHQQI", REQUEST_MAGIC, 0, CMD_READ, self._cookie, offset, length))
        return partial(self._finish, self._cookie, data, offset)

    def abandon(self) -> None:
        """Go without a word: the connection is another process's, too, and that stays."""
        self._socket.close()

    def close(self) -> None:
        """Tell the server that we go, and go. Calling it twice is harmless."""
        with contextlib.suppress(OSError):
            self._socket.sendall(struct.pack(">IHHQQI", REQUEST_MAGIC, 0, CMD_DISC, 0, 0, 0))
        self._socket.close()

    def _check(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise DeclinedError(f"{length} bytes at {offset} are not within the {self.size} of the disk")

    def _finish(self, cookie: int, data: bytearray, offset: int) -> bytearray:
        """Take answers until the one to ``cookie`` was among them. Return ``data``, where it is then."""
        while cookie in self._awaited:
            magic, error, answered = struct.unpack(">IIQ", self._receive(16))
            view = self._awaited.pop(answered, None)
            if magic != REPLY_MAGIC or view is None:
                raise DeclinedError("qemu-nbd sent something that is no reply to our request")
            if error:
                self._refused[answered] = error
            else:
                self._receive_into(view)
        if cookie in self._refused:
            raise DeclinedError(f"qemu-nbd cannot read {len(data)} bytes at {offset}: error {self._refused[cookie]}")
        return data

    def _handshake(self) -> None:
        if self._receive(16) != MAGIC + OPTION_MAGIC:
            raise DeclinedError("qemu-nbd does not speak the newstyle protocol")
        (flags,) = struct.unpack(">H", self._receive(2))
        if not flags & FIXED_NEWSTYLE:
            raise DeclinedError("qemu-nbd does not speak the fixed newstyle protocol")
        name = b""  # the default export
        option = struct.pack(">I", len(name)) + name + struct.pack(">HH", 1, INFO_BLOCK_SIZE)
        self._send(struct.pack(">I", FIXED_NEWSTYLE | (flags & NO_ZEROES)))
        self._send(OPTION_MAGIC + struct.pack(">II", OPT_GO, len(option)) + option)
        for _ in range(MAX_OPTION_REPLIES):
            magic, answered, kind, length = struct.unpack(">QIII", self._receive(20))
            if magic != OPTION_REPLY_MAGIC or answered != OPT_GO or length > MAX_OPTION_REPLY:
                raise DeclinedError("qemu-nbd sent something that is no reply to our option")
            data = self._receive(length)
            if kind == REP_ACK:
                break
            if kind & REP_ERROR:
                raise DeclinedError(f"qemu-nbd refuses: {data.decode(errors='replace') or hex(kind)}")
            if kind == REP_INFO:
                self._take(data)
        if not self.size:
            raise DeclinedError("qemu-nbd does not say how large the disk is")

    def _take(self, data: bytes) -> None:
        """Take what one NBD_REP_INFO says of the export."""
        (kind,) = struct.unpack(">H", data[:2].ljust(2, b"\xff"))
        if kind == INFO_EXPORT and len(data) == 12:
            self.size, flags = struct.unpack(">QH", data[2:])
            if not flags & HAS_FLAGS or not flags & READ_ONLY:
                raise DeclinedError("qemu-nbd offers the image for writing")
        elif kind == INFO_BLOCK_SIZE and len(data) == 14:
            self.alignment, _, largest = struct.unpack(">III", data[2:])
            self._max_request = min(MAX_REQUEST, largest)
            if not 1 <= self.alignment <= self._max_request:
                raise DeclinedError(f"qemu-nbd wants blocks of {self.alignment} to {largest} bytes")
            self._max_request -= self._max_request % self.alignment

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise DeclinedError(f"qemu-nbd: {_reason(error)}") from error

    def _receive(self, length: int) -> bytes:
        data = bytearray(length)
        self._receive_into(memoryview(data))
        return bytes(data)

    def _receive_into(self, view: memoryview) -> None:
        done = 0
        while done < len(view):
            try:
                count = self._socket.recv_into(view[done:])
            except OSError as error:
                raise DeclinedError(f"qemu-nbd: {_reason(error)}") from error
            if count == 0:
                raise DeclinedError("qemu-nbd ended in the middle")
            done += count


def _reason(error: OSError) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
