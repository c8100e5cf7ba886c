"""A file of the target as a stream that seeks, for parsers that look at a few places of a large file."""

import io
from typing import TYPE_CHECKING

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import EntryNotFoundError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK_SIZE = 64 * 1024
"""Bytes of one request to the engine: an appliance takes as long for one byte as for these."""


class _Window(io.RawIOBase):
    def __init__(self, engine: Engine, path: str, size: int) -> None:
        super().__init__()
        self._engine = engine
        self._path = path
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), max(self._size - self._position, 0))
        data = self._engine.read(self._path, offset=self._position, limit=wanted, whole=False) if wanted else b""
        view[: len(data)] = data
        self._position += len(data)
        return len(data)


def open_stream(engine: Engine, path: str) -> io.BufferedReader:
    """Return the regular file that ``path`` leads to as a stream. Raises EntryNotFoundError if there is none."""
    real = engine.resolve(path)
    entry = engine.lstat(real)
    if entry is None or not entry.is_file:
        raise EntryNotFoundError(f"{path}: no regular file in the target")
    return io.BufferedReader(_Window(engine, real, entry.size), BLOCK_SIZE)
