"""What an engine is: a read-only view of a target's root file system.

An engine supplies a few primitives on *real* paths (no symlink in any parent component); this base class resolves
every path **inside the target** before it asks a primitive. So the guarantee that a link to ``/etc/shadow`` in a
hostile image never reaches the host's holds for all engines alike, and so do limits and errors.

Paths are absolute POSIX paths inside the target, as str; bytes that are not UTF-8 are surrogate-escaped (PEP 383).
"""

import posixpath
import stat as stat_module
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from types import TracebackType
from typing import ClassVar, Final, NamedTuple, Self

from diskimage_validator.errors import EntryNotFoundError, PermissionDeniedError, ReadLimitError, TargetError
from diskimage_validator.frozen import dataclass
from diskimage_validator.model import TargetInfo
from diskimage_validator.process import Completed

MAX_LINKS = 40  # the kernel's own limit: path_resolution(7), ELOOP
PATH_MAX = 4096  # linux/limits.h
DEFAULT_READ_LIMIT = 64 * 1024 * 1024
"""Bytes that ``read`` returns at most unless told otherwise. A dpkg status of a full desktop has 8 MiB."""

RUN_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of standard output that a command may print unless told otherwise."""
KERNEL_FOLDERS: Final = ("/proc", "/sys", "/dev", "/run")
"""Where a running system, or a build in its chroot, mounts what is no part of its disk: these folders count as empty if
they are mount points, and nothing in them is there by its name either."""
_TYPE: Final = 0o170000
"""The bits of a mode that tell what an entry is: S_IFMT of inode(7)."""
_MAX_KNOWN: Final = 200_000
"""Entries that are remembered; their paths and Stats take about 60 MB."""


class Stat(NamedTuple):
    """Result of ``stat`` or ``lstat``: ``mode`` as in stat(2), ``size`` in bytes, ``mtime`` in whole seconds (UTC)."""

    mode: int
    uid: int
    gid: int
    size: int
    mtime: int

    @property
    def is_file(self) -> bool:
        """Whether this is a regular file."""
        return self.mode & _TYPE == stat_module.S_IFREG

    @property
    def is_dir(self) -> bool:
        """Whether this is a directory."""
        return self.mode & _TYPE == stat_module.S_IFDIR

    @property
    def is_link(self) -> bool:
        """Whether this is a symbolic link (only ever true for ``lstat``)."""
        return self.mode & _TYPE == stat_module.S_IFLNK

    @property
    def is_executable(self) -> bool:
        """Whether this is a regular file that somebody may execute."""
        return self.is_file and bool(self.mode & 0o111)


@dataclass(frozen=True)
class Filesystem:
    """One file system of the target. Sizes in bytes; None where the engine cannot tell.

    ``free`` is what a user other than root can use. ``inodes`` is 0 where they are made as needed. ``clean`` says
    whether it was unmounted in order and has no known error. ``features`` are those of ext2/3/4, see ext4(5).
    """

    device: str
    type: str
    mountpoint: str | None
    label: str
    uuid: str
    size: int | None = None
    free: int | None = None
    inodes: int | None = None
    free_inodes: int | None = None
    clean: bool | None = None
    block_size: int | None = None
    features: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Partition:
    """One partition. ``start`` and ``size`` in bytes; ``type`` is MBR's id in hex, or GPT's GUID in upper case."""

    device: str
    number: int
    start: int
    size: int
    type: str


@dataclass(frozen=True)
class Disk:
    """Disk of a target at rest. ``partition_table`` is ``mbr``, ``gpt`` or ``none``; ``virtual_size`` in bytes.

    ``partitions`` are those of the table, None where the engine cannot tell. ``compat`` is qcow2's, None for any other
    format; ``compression`` is ``zlib``, ``zstd``, or ``none`` for an image without compressed clusters.
    """

    partition_table: str
    virtual_size: int
    filesystems: tuple[Filesystem, ...]
    partitions: tuple[Partition, ...] | None = None
    compat: str | None = None
    compression: str | None = None


class Engine(ABC):
    """Read-only view of one target. Use it as a context manager: it may hold a process or a connection."""

    name: ClassVar[str]
    is_at_rest: ClassVar[bool] = False
    """Whether nobody changes the target, and a walk through it comes by everything that can be asked for."""
    live = False
    """Whether this is a running system, so that ``run`` works."""

    def __init__(self, target: TargetInfo) -> None:
        self.target = target
        self.notes: list[str] = []
        """Remarks for the report, e.g. that the appliance runs without KVM."""
        self.denied: list[PermissionDeniedError] = []
        """What could not be read for want of rights, in the order in which it was tried."""
        self._remembered: dict[str, Stat | None] | None = None
        self._resolved: dict[str, str] = {}
        self._complete = False

    # Primitives. ``path`` has no symlink in any parent component; the last one may be a link.

    @abstractmethod
    def _lstat(self, path: str) -> Stat | None:
        """Return the entry's stat without following a link, or None if there is no such entry."""

    @abstractmethod
    def _readlink(self, path: str) -> str:
        """Return the text of the symbolic link at ``path``."""

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

    def disk(self) -> Disk | None:
        """Return the target's disk, or None for a target that is no disk (a directory, a remote node)."""
        return None

    def run(
        self, command: Sequence[str], *, timeout: float, as_root: bool = False, limit: int = RUN_LIMIT
    ) -> Completed:
        """Run ``command`` on the running system, without standard input, and return what it said.

        Only for a target that is ``live``. ``timeout`` is in seconds, ``limit`` the bytes of standard output that are
        allowed; the command is ended, and EngineError raised, if either is exceeded. A command that is not there ends
        with status 127. Raises PermissionDeniedError if the account may not run commands, or not ``as_root``.
        """
        raise NotImplementedError(f"{self.name}: {command[0]}: the target does not run")

    def deny(self, subject: str, hint: str = "") -> PermissionDeniedError:
        """Return the error to be raised for ``subject``, which may not be read, and take note of it."""
        error = PermissionDeniedError(f"{subject}: permission denied", hint)
        self.denied.append(error)
        return error

    def expect_walk(self) -> None:  # noqa: B027 - most engines have nothing to prepare
        """Be told that ``walk`` will be asked for the whole target: an engine may begin with it beside other work."""

    def confirm(self) -> None:  # noqa: B027 - most engines are certain, or raise at once
        """Raise DeclinedError if it turned out that what was read is not certain, EngineDiedError if a helper is gone.

        Whoever reads many files goes on after one that cannot be read; so the engine is asked once more at the end.
        """

    def identity(self) -> TargetInfo:
        """Return ``target`` with the digest of an image, which may have to be waited for.

        Raises TargetError if the image changed while it was read.
        """
        return self.target

    def close(self) -> None:  # noqa: B027 - an engine that holds nothing has nothing to release
        """Release what the engine holds. Calling it twice is harmless."""

    def _find(self, path: str) -> Stat | None:
        """Return the lstat of ``path``; None, without asking the primitive, for what no file can be called.

        Files of the image name other files, so a path may be anything: a zero byte would end it early, half of a
        surrogate pair (JSON can spell one) has no bytes, and one that is too long would take long to resolve.
        """
        known = self._remembered
        if known is not None and (path in known or self._complete):
            return known.get(path)
        if "\0" in path or len(path) > PATH_MAX:
            return None
        try:
            path.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return None
        found = self._lstat(path)
        if known is not None and len(known) < _MAX_KNOWN:
            known[path] = found
        return found

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Ask for no path twice: as long as this lasts, what was found there stays so.

        For whoever asks much about one state of a target, as facts do.
        """
        self._remembered, self._resolved = {}, {}
        try:
            yield
        finally:
            self._remembered, self._resolved, self._complete = None, {}, False

    # What facts use.

    def resolve(self, path: str, *, follow_last: bool = True) -> str:
        """Return the real path of ``path`` inside the target. It need not exist: what is missing stays as written.

        ``..`` never climbs above the target's root, and an absolute link starts at that root again, as under
        ``openat2(RESOLVE_IN_ROOT)``. Raises TargetError after 40 links. What is longer than PATH_MAX stays as written,
        too: nothing can be there.
        """
        if len(path) > PATH_MAX:
            return path
        return self._quickly(path, follow_last=follow_last) or self._step_by_step(path, follow_last=follow_last)

    def _quickly(self, path: str, *, follow_last: bool) -> str | None:
        """Return what ``resolve`` does, or None if that takes a look at every part.

        Most paths share their folder with others, and most links lead to something that is none.
        """
        candidate = self._in_known_folder(path)
        if candidate is None or not follow_last:
            return candidate
        entry = self._find(candidate)
        if entry is None or not entry.is_link:
            return candidate
        text = self._readlink(candidate)
        behind = self._in_known_folder(text if text.startswith("/") else f"{candidate.rpartition('/')[0]}/{text}")
        entry = None if behind is None else self._find(behind)
        return None if entry is not None and entry.is_link else behind

    def _in_known_folder(self, path: str) -> str | None:
        """Return ``path`` with the real path of its folder, if what comes behind that is a name."""
        folder, _, name = path.rpartition("/")
        if self._remembered is None or name in ("", ".", ".."):
            return None
        real = self._resolved.get(folder)
        if real is None:
            real = self._step_by_step(folder, follow_last=True)
            if len(self._resolved) < _MAX_KNOWN:
                self._resolved[folder] = real
        return f"{real}/{name}" if real != "/" else f"/{name}"

    def _step_by_step(self, path: str, *, follow_last: bool) -> str:
        pending = deque(part for part in path.split("/") if part not in ("", "."))
        real = "/"
        links = 0
        while pending:
            part = pending.popleft()
            if part == "..":
                real = posixpath.dirname(real)
                continue
            candidate = f"{real}/{part}" if real != "/" else f"/{part}"
            entry = self._find(candidate) if (pending or follow_last) else None
            if entry is None or not entry.is_link:
                real = candidate
                continue
            links += 1
            if links > MAX_LINKS:
                raise TargetError(f"{path}: more than {MAX_LINKS} symbolic links")
            text = self._readlink(candidate)
            if text.startswith("/"):
                real = "/"
            pending.extendleft(reversed([part for part in text.split("/") if part not in ("", ".")]))
        return real

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
        return self._readlink(real)

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
            if known is None or len(known) + len(found) > _MAX_KNOWN:
                whole = False
            else:
                known.update([one for one in found if one[0] not in known])
            yield from found
            pending += [child for child, entry in found if entry.mode & _TYPE == stat_module.S_IFDIR]
        if whole and self._remembered is not None:
            self._complete = True  # what the walk did not come by is not there

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
