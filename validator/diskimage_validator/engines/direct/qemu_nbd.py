"""QEMU's block layer as a process of its own: a disk image becomes a connection that bytes are read from.

qemu-nbd(8) reads every variant of qcow2 (versions, zlib, zstd, extended L2, any cluster size); it needs no root, no
kernel module and no virtual machine. The image is hostile input, so it runs with the format stated, read-only, under
limits, and without network. What is said to it comes over a unix socket in a folder that only we can enter; both
are removed as soon as we are connected. It serves our two connections, the second of which is for a process that is
made by fork(2), and ends with them, even if we are killed.
"""

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from diskimage_validator.engines.direct.nbd import NbdClient
from diskimage_validator.errors import DeclinedError, EngineError
from diskimage_validator.image_file import ImageFile
from diskimage_validator.process import Limits, namespace_denied
from diskimage_validator.process.beside import Service
from diskimage_validator.temporary import TemporaryFolder, usual_parent

PROGRAM: Final = "qemu-nbd"
LIMITS: Final = Limits(address_space=4 << 30, cpu_seconds=300, file_size=0)
"""It uses 60 MB; but each of the threads that decompress reserves 72 MiB of addresses for its heap and its stack."""
START_TIMEOUT: Final = 20.0
PAUSE: Final = 0.001
"""Seconds between two tries to connect; it takes about 15 ms to start."""
MAX_SOCKET_PATH: Final = 107
"""Bytes of sun_path without the zero byte: unix(7)."""


class QemuNbd:
    """The disk inside ``image``. ``read``, ``begin`` and ``size`` are NbdClient's; ``notes`` are for the report.

    Raises DeclinedError if qemu-nbd is missing, does not start, or does not take the image.
    """

    def __init__(self, image: ImageFile) -> None:
        self.notes: list[str] = []
        self._image = image
        self._service: Service | None = None
        self._second: socket.socket | None = None
        self._reserved = False
        try:
            connection = self._connect(offline=True)
            if connection is None:
                connection = self._connect(offline=False)
            if connection is None:
                raise DeclinedError(f"{PROGRAM} does not start")
            self._client = self._greet(connection)
        except BaseException:
            self._stop()
            raise
        self.size = self._client.size

    def read(self, offset: int, length: int) -> bytearray:
        """Return bytes of the disk: see NbdClient."""
        return self._client.read(offset, length)

    def begin(self, offset: int, length: int) -> Callable[[], bytearray]:
        """Ask for bytes of the disk: see NbdClient."""
        return self._client.begin(offset, length)

    def close(self) -> None:
        """End the connection and the process. Calling it twice is harmless."""
        try:
            self._client.close()
        finally:
            self._stop()

    def reserve(self) -> bool:
        """Whether the second connection is free. It is no longer: this is for whoever forks next."""
        free = self._second is not None and not self._reserved
        self._reserved = True
        return free

    def use_reserved(self) -> None:
        """Read by the second connection from now on. The first one is that of the process that forked."""
        if self._second is None:
            raise DeclinedError("there is no second connection to qemu-nbd")
        self._client.abandon()
        self._client = NbdClient(self._second)

    def _greet(self, connection: socket.socket) -> NbdClient:
        """Return the client. The server listens before it opens the image, so it may still end for want of that."""
        try:
            return NbdClient(connection)
        except DeclinedError as error:
            said = self._service.last_words() if self._service else ""
            raise DeclinedError(f"{error.message}: {said}") from error

    def _stop(self) -> None:
        service, self._service = self._service, None
        if service is not None:
            service.stop()
        if self._second is not None:
            self._second.close()

    def _connect(self, *, offline: bool) -> socket.socket | None:
        """Start the server and return a connection to it; None if it cannot be ``offline`` here, with a note."""
        with TemporaryFolder(_folder()) as folder:
            path = folder.path / "nbd"
            # The path of the image is absolute, so QEMU cannot take a "json:" or "nbd:" in it for a protocol.
            command = [PROGRAM, "--read-only", "--shared=2", "-f", self._image.format, "--socket", str(path)]
            command.append(str(self._image.path))
            try:
                self._service = Service(command, limits=LIMITS, offline=offline)
            except EngineError as error:
                raise DeclinedError(error.message, error.hint) from error
            deadline = time.monotonic() + START_TIMEOUT
            connection = socket.socket(socket.AF_UNIX)
            try:
                while time.monotonic() < deadline:
                    if connection.connect_ex(str(path)) == 0:
                        self._second = _connected(path)
                        return connection
                    if not self._service.is_running:
                        break
                    time.sleep(PAUSE)
            except BaseException:
                connection.close()
                raise
            connection.close()
        self._explain()
        return None

    def _explain(self) -> None:
        """Say why the server that was started cannot be used: a note if it is for want of a namespace."""
        service = self._service
        if service is None or service.is_running:
            raise DeclinedError(f"{PROGRAM} does not answer within {START_TIMEOUT:.0f} s")
        said = service.last_words()
        note = namespace_denied(said)
        if not note:
            raise DeclinedError(f"{PROGRAM} cannot open the image: {said}")
        self.notes.append(note)


def _connected(path: Path) -> socket.socket | None:
    """Return one more connection, None if it cannot be had."""
    connection = socket.socket(socket.AF_UNIX)
    if connection.connect_ex(str(path)) == 0:
        return connection
    connection.close()
    return None


def _folder() -> str | None:
    """Return where the folder for the socket is made: None for the usual place, unless its path is too long."""
    length = len(usual_parent().encode()) + len("/diskimage-validator-01234567/nbd")
    return None if length <= MAX_SOCKET_PATH else "/tmp"  # noqa: S108 - the folder has a random name and mode 0700
