"""QEMU's block layer as a process of its own: a disk image becomes a connection that bytes are read from.

qemu-nbd(8) reads every variant of qcow2 (versions, zlib, zstd, extended L2, any cluster size); it needs no root, no
kernel module and no virtual machine. The image is hostile input, so it runs with the format stated, read-only, under
limits, and without network. What is said to it comes over a unix socket in a folder that only we can enter; both
are removed as soon as we are connected. It serves that one connection and ends with it, even if we are killed.
"""

import socket
import time
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
    """The disk inside ``image``. ``read`` and ``size`` are those of NbdClient; ``notes`` are for the report.

    Raises DeclinedError if qemu-nbd is missing, does not start, or does not take the image.
    """

    def __init__(self, image: ImageFile) -> None:
        self.notes: list[str] = []
        self._image = image
        self._service: Service | None = None
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
        self.read = self._client.read

    def close(self) -> None:
        """End the connection and the process. Calling it twice is harmless."""
        try:
            self._client.close()
        finally:
            self._stop()

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

    def _connect(self, *, offline: bool) -> socket.socket | None:
        """Start the server and return a connection to it; None if it cannot be ``offline`` here, with a note."""
        with TemporaryFolder(_folder()) as folder:
            path = folder.path / "nbd"
            # The path of the image is absolute, so QEMU cannot take a "json:" or "nbd:" in it for a protocol.
            command = [PROGRAM, "--read-only", "-f", self._image.format, "--socket", str(path), str(self._image.path)]
            try:
                self._service = Service(command, limits=LIMITS, offline=offline)
            except EngineError as error:
                raise DeclinedError(error.message, error.hint) from error
            deadline = time.monotonic() + START_TIMEOUT
            connection = socket.socket(socket.AF_UNIX)
            try:
                while time.monotonic() < deadline:
                    if connection.connect_ex(str(path)) == 0:
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


def _folder() -> str | None:
    """Return where the folder for the socket is made: None for the usual place, unless its path is too long."""
    length = len(usual_parent().encode()) + len("/diskimage-validator-01234567/nbd")
    return None if length <= MAX_SOCKET_PATH else "/tmp"  # noqa: S108 - the folder has a random name and mode 0700
