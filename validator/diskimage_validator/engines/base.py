"""What an engine is: a read-only view of a target's root file system.

An engine supplies a few primitives on *real* paths (no symlink in any parent component); this base class resolves
every path **inside the target** (``paths``) before it asks a primitive. So the guarantee that a link to ``/etc/shadow``
in a hostile image never reaches the host's holds for all engines alike, and so do limits and errors.

Paths are absolute POSIX paths inside the target, as str; bytes that are not UTF-8 are surrogate-escaped (PEP 383).
"""

import posixpath
import stat as stat_module
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from types import TracebackType
from typing import ClassVar, Final, Self

from diskimage_validator.engines import checksums
from diskimage_validator.engines.description import TYPE, Disk, Filesystem, Partition, Stat
from diskimage_validator.engines.paths import MAX_KNOWN, PATH_MAX, Paths
from diskimage_validator.errors import (
    DeclinedError,
    EngineDiedError,
    EntryNotFoundError,
    PermissionDeniedError,
    ReadLimitError,
    TargetError,
    ValidatorError,
)
from diskimage_validator.model import TargetInfo
from diskimage_validator.process import Completed

__all__ = ["KERNEL_FOLDERS", "PATH_MAX", "RUN_LIMIT", "Disk", "Engine", "Filesystem", "Partition", "Stat"]

DEFAULT_READ_LIMIT = 64 * 1024 * 1024
"""Bytes that ``read`` returns at most unless told otherwise. A dpkg status of a full desktop has 8 MiB."""

RUN_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of standard output that a command may print unless told otherwise."""
KERNEL_FOLDERS: Final = ("/proc", "/sys", "/dev", "/run")
"""Where a running system, or a build in its chroot, mounts what is no part of its disk: these folders count as empty if
they are mount points, and nothing in them is there by its name either."""


class Engine(Paths):
    """Read-only view of one target. Use it as a context manager: it may hold a process or a connection."""

    name: ClassVar[str]
    is_at_rest: ClassVar[bool] = False
    """Whether nobody changes the target, and a walk through it comes by everything that can be asked for."""
    live = False
    """Whether this is a running system, so that ``run`` works."""

    def __init__(self, target: TargetInfo) -> None:
        super().__init__()
        self.target = target
        self.notes: list[str] = []
        """Remarks for the report, e.g. that the appliance runs without KVM."""
        self.denied: list[PermissionDeniedError] = []
        """What could not be read for want of rights, in the order in which it was tried."""

    # Primitives. ``path`` has no symlink in any parent component; the last one may be a link.

    @abstractmethod
    def _read(self, path: str, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes of the regular file at ``path``, starting at ``offset``."""

    @abstractmethod
    def _listdir(self, path: str) -> list[str]:
        """Return the names in the directory at ``path``, without ``.`` and ``..``, in any order."""

    def _scan(self, path: str) -> list[tuple[str, Stat]]:
        """Return name and lstat of every entry of the directory at ``path``.

        For engines that can ask for many at once; one that a live system loses meanwhile is left out.
        """
        found = ((name, self._lstat(posixpath.join(path, name))) for name in self._listdir(path))
        return [(name, entry) for name, entry in found if entry is not None]

    def _digests(self, paths: Sequence[str], algorithm: str) -> dict[str, str]:  # noqa: ARG002 - for those who can
        """Return path to digest of those regular files that the target can tell at once, or can tell itself.

        For engines to whom content comes slowly. What they leave out is read by ``_read``, and fails as that does.
        """
        return {}

    def disk(self) -> Disk | None:
        """Return the target's disk, or None for a target that is no disk (a directory, a remote node)."""
        return None

    def run(
        self,
        command: Sequence[str],
        *,
        timeout: float,
        as_root: bool = False,
        limit: int = RUN_LIMIT,
        stdin: bytes = b"",
    ) -> Completed:
        """Run ``command`` on the running system, and return what it said.

        Only for a target that is ``live``. ``stdin`` is its standard input: lines of text. What must not be seen by
        others on that system goes there, for they see every command line. ``timeout`` is in seconds, ``limit`` the
        bytes of standard output that are allowed; the command is ended, and EngineError raised, if either is exceeded.
        A command that is not there ends with status 127. Raises PermissionDeniedError if the account may not run
        commands, or not ``as_root``.
        """
        raise NotImplementedError(f"{self.name}: {command[0]}: the target does not run")

    def deny(self, subject: str, hint: str = "") -> PermissionDeniedError:
        """Return the error to be raised for ``subject``, which may not be read, and take note of it."""
        error = PermissionDeniedError(f"{subject}: permission denied", hint)
        self.denied.append(error)
        return error

    def expect_walk(self) -> None:
        """Be told that ``walk`` will be asked for the whole target: an engine may begin with it beside other work."""

    def reserve_fork(self) -> bool:
        """Whether one process that is made by fork(2) after this can read the target, too, at the same time."""
        return False

    def enter_fork(self) -> None:
        """Be told that this is that process: what it shares with the other one is the other's from now on."""

    def confirm(self) -> None:
        """Raise DeclinedError if it turned out that what was read is not certain, EngineDiedError if a helper is gone.

        Whoever reads many files goes on after one that cannot be read; so the engine is asked once more at the end.
        """

    def identity(self) -> TargetInfo:
        """Return ``target`` with the digest of an image, which may have to be waited for.

        Raises TargetError if the image changed while it was read.
        """
        return self.target

    def close(self) -> None:
        """Release what the engine holds. Calling it twice is harmless."""

    # What facts use.

    def lstat(self, path: str) -> Stat | None:
        """Return the stat of ``path`` without following a link in its last component; None if it is not there."""
        return self._find(self.resolve(path, follow_last=False))

    def stat(self, path: str) -> Stat | None:
        """Return the stat of what ``path`` leads to; None if it is not there (or a link leads nowhere)."""
        return self._find(self.resolve(path))

    def readlink(self, path: str) -> str:
        """Return the text of the link at ``path``, not resolved. Raises EntryNotFoundError if it is no link."""
        real = self.resolve(path, follow_last=False)
        entry = self._find(real)
        if entry is None or not entry.is_link:
            raise EntryNotFoundError(f"{path}: no symbolic link in the target")
        return self._text(real)

    def read(self, path: str, *, offset: int = 0, limit: int = DEFAULT_READ_LIMIT, whole: bool = True) -> bytes:
        """Return the content of the regular file that ``path`` leads to.

        ``limit`` is the number of bytes to return at most. With ``whole`` a larger file raises ReadLimitError; without
        it the rest is left out (a header, for instance). Raises EntryNotFoundError if there is no such file.
        """
        real = self.resolve(path)
        entry = self._find(real)
        if entry is None or not entry.is_file:
            raise EntryNotFoundError(f"{path}: no regular file in the target")
        if whole and entry.size - offset > limit:
            raise ReadLimitError(f"{path}: {entry.size} bytes, more than the {limit} that are read")
        return self._read(real, offset, min(limit, max(entry.size - offset, 0)))

    def digests(self, paths: Iterable[str], algorithm: str) -> dict[str, str | ValidatorError]:
        """Return the digest, in hex, of the regular file that each path leads to; instead of it, why it cannot be read.

        ``algorithm`` is one of ``checksums.ALGORITHMS``. Ask for some thousand files at a time: nothing is told
        meanwhile. Raises DeclinedError and EngineDiedError, as every access does, for then nothing is certain.
        """
        found: dict[str, str | ValidatorError] = {}
        files: dict[str, tuple[str, int]] = {}
        for path in paths:
            try:
                real = self.resolve(path)
                entry = self._find(real)
            except ValidatorError as error:
                found[path] = _lasting(error)
                continue
            if entry is None or not entry.is_file:
                found[path] = EntryNotFoundError(f"{path}: no regular file in the target")
            else:
                files[path] = real, entry.size
        told = self._digests(list(dict.fromkeys(real for real, _ in files.values())), algorithm) if files else {}
        for path, (real, size) in files.items():
            try:
                found[path] = told.get(real) or checksums.digest(self._read, real, size, algorithm)
            except ValidatorError as error:
                found[path] = _lasting(error)
        return found

    def listdir(self, path: str) -> list[str]:
        """Return the names in the directory that ``path`` leads to, sorted.

        Raises EntryNotFoundError if there is none.
        """
        real = self.resolve(path)
        entry = self._find(real)
        if entry is None or not entry.is_dir:
            raise EntryNotFoundError(f"{path}: no directory in the target")
        return sorted(self._listdir(real))

    def exists(self, path: str) -> bool:
        """Whether ``path`` leads to something inside the target."""
        return self.stat(path) is not None

    def walk(self, path: str) -> Iterator[tuple[str, Stat]]:
        """Yield (path, lstat) of everything below the directory ``path``, parents first, links not followed.

        Raises TargetError for a path that is longer than PATH_MAX: a file system that was tampered with may have a
        directory inside itself.
        """
        pending = [self.resolve(path)]
        whole = pending == ["/"] and self.is_at_rest and self._find("/") is not None
        while pending:
            folder = pending.pop()
            if len(folder) > PATH_MAX:
                raise TargetError(f"{folder[:80]}...: folders are nested too deeply", "the file system is damaged")
            prefix = folder if folder == "/" else f"{folder}/"
            found = [(prefix + name, entry) for name, entry in sorted(self._scan(folder), key=itemgetter(0))]
            known = self._remembered
            if known is None or len(known) + len(found) > MAX_KNOWN:
                whole = False
            else:
                known.update([one for one in found if one[0] not in known])
            yield from found
            pending += [child for child, entry in found if entry.mode & TYPE == stat_module.S_IFDIR]
        if whole and self._remembered is not None:
            self._complete = True  # what the walk did not come by is not there

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _lasting(error: ValidatorError) -> ValidatorError:
    """Return an error that is about one file; raise one that is about the engine."""
    if isinstance(error, DeclinedError | EngineDiedError):
        raise error
    return error
