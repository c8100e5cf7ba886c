"""An unpacked root file system: a build's chroot, a mounted image, ``/`` itself.

Whoever can write below the root may replace a folder by a link while we read. So every single access goes through
openat2(2) with RESOLVE_IN_ROOT and RESOLVE_NO_SYMLINKS: the kernel itself guarantees that nothing outside is reached.
"""

import ctypes
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar, Final

from diskimage_validator.engines.base import KERNEL_FOLDERS, RUN_LIMIT, Engine, Stat
from diskimage_validator.errors import EngineError, EntryNotFoundError, UsageError, ValidatorError
from diskimage_validator.model import TargetInfo
from diskimage_validator.process import Completed, run_bounded

SYS_OPENAT2: Final = 437
"""The same on every architecture of Linux: include/uapi/asm-generic/unistd.h."""
RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_NO_SYMLINKS: Final = 0x04
RESOLVE_IN_ROOT: Final = 0x10
RESOLVE: Final = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
DENIED: Final = (errno.EACCES, errno.EPERM)
AS_ROOT: Final = "read the folder as root, or as whoever may read all of it"
GONE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)


class _OpenHow(ctypes.Structure):
    """``struct open_how`` of linux/openat2.h."""

    _fields_: ClassVar = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


class DirectoryEngine(Engine):
    """Read-only view of the folder ``root``; ``live`` if that is the running system, whose commands may be run.

    Raises UsageError if it is no folder, EngineError before Linux 5.6.
    """

    name: ClassVar[str] = "directory"

    def __init__(self, root: Path, *, live: bool = False) -> None:
        self.live = live
        super().__init__(TargetInfo(name=str(root), kind="directory"))
        self._libc = ctypes.CDLL(None, use_errno=True)
        try:
            self._root = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            raise UsageError(f"{root}: {getattr(error, 'strerror', '') or error}", "name a folder") from None
        try:
            with self._open("/", os.O_PATH) as descriptor:
                device = os.fstat(descriptor).st_dev
            self._mounted = tuple(folder for folder in KERNEL_FOLDERS if self._device(folder) not in (None, device))
        except OSError as error:
            self.close()
            raise EngineError(f"{root}: openat2(2): {error.strerror}", _hint(error)) from error

    def close(self) -> None:
        """Let go of the folder."""
        descriptor, self._root = self._root, -1
        if descriptor >= 0:
            os.close(descriptor)

    @contextmanager
    def _open(self, path: str, flags: int) -> Iterator[int]:
        how = _OpenHow(flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0, RESOLVE)
        name = os.fsencode(path)
        descriptor = self._libc.syscall(SYS_OPENAT2, self._root, name, ctypes.byref(how), ctypes.sizeof(how))
        if descriptor < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _device(self, path: str) -> int | None:
        """Return the number of the device that the folder at ``path`` is on, None if there is no such folder."""
        try:
            with self._open(path, os.O_PATH | os.O_DIRECTORY) as descriptor:
                return os.fstat(descriptor).st_dev
        except OSError as error:
            if error.errno in GONE:
                return None
            raise

    def _lstat(self, path: str) -> Stat | None:
        if path.startswith(KERNEL_FOLDERS) and any(path.startswith(f"{folder}/") for folder in self._mounted):
            return None
        try:
            with self._open(path, os.O_PATH) as descriptor:
                found = os.fstat(descriptor)
        except OSError as error:
            if error.errno in GONE:
                return None
            raise self._error(error) from error
        return _stat(found)

    def _readlink(self, path: str) -> str:
        with self._errors(), self._open(path, os.O_PATH) as descriptor:
            return os.readlink("", dir_fd=descriptor)

    def _read(self, path: str, offset: int, size: int) -> bytes:
        # O_NONBLOCK: should the file have become a FIFO meanwhile, nobody waits for its writer.
        with self._errors(), self._open(path, os.O_RDONLY | os.O_NONBLOCK) as descriptor:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise EngineError(f"{path}: no longer a regular file")
            parts = []
            while size > 0 and (part := os.pread(descriptor, min(size, 1 << 20), offset)):
                parts.append(part)
                offset += len(part)
                size -= len(part)
            return b"".join(parts)

    def _listdir(self, path: str) -> list[str]:
        try:
            with self._errors(), self._open(path, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
                return [] if path in self._mounted else os.listdir(descriptor)  # noqa: PTH208 - a descriptor, no path
        except EntryNotFoundError:  # a live system lost it meanwhile
            return []

    def _scan(self, path: str) -> list[tuple[str, Stat]]:
        found: list[tuple[str, Stat]] = []
        if path in self._mounted:
            return found
        with (
            suppress(EntryNotFoundError),  # a live system may have removed it meanwhile, or what is in it
            self._errors(),
            self._open(path, os.O_RDONLY | os.O_DIRECTORY) as descriptor,
            os.scandir(descriptor) as entries,
        ):
            for entry in entries:
                with suppress(FileNotFoundError):
                    found.append((entry.name, _stat(entry.stat(follow_symlinks=False))))
        return found

    def run(
        self,
        command: Sequence[str],
        *,
        timeout: float,
        as_root: bool = False,
        limit: int = RUN_LIMIT,
        stdin: bytes = b"",
    ) -> Completed:
        """Run ``command`` on this host, if the target is the running system: see Engine."""
        if not self.live:
            return super().run(command, timeout=timeout, as_root=as_root, limit=limit, stdin=stdin)
        if as_root and os.geteuid() != 0:
            raise self.deny(command[0], "run this as root")
        return run_bounded(command, timeout=timeout, limit=limit, stdin=stdin)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> ValidatorError:
        message = f"{error.filename}: {error.strerror}"
        if error.errno == errno.ENOENT:
            return EntryNotFoundError(message)
        # Who validates a folder can choose to be root. A user of a running system may have to do without.
        if self.live and error.errno in DENIED:
            return self.deny(str(error.filename), AS_ROOT)
        return EngineError(message, _hint(error))


def _hint(error: OSError) -> str:
    return "Linux 5.6 or later is needed" if error.errno == errno.ENOSYS else AS_ROOT * (error.errno in DENIED)


def _stat(found: os.stat_result) -> Stat:
    return Stat(found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_mtime_ns // 10**9)
