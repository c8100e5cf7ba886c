"""The engine for a remote node. It reads as the account it logs in with, and as root where that is not enough.

Files of a node change while they are read. So every stat is asked for once and kept, and once more than a few were
asked for, all of them are taken in one answer: what is judged is the node at one moment, and distance does not count.

A link in the last component is never followed, though SFTP has no flag for it: a file is opened only after an lstat,
and what was opened has to be a file of that kind. Links in parents are resolved by Engine, as everywhere.
"""

import os
import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar, Final, TypeVar

from paramiko import SFTPAttributes, SFTPError, SFTPFile
from paramiko.ssh_exception import SSHException

from diskimage_validator.engines.base import KERNEL_FOLDERS, RUN_LIMIT, Engine, Stat
from diskimage_validator.engines.ssh.around import SMALL, Around
from diskimage_validator.engines.ssh.connection import Connection, Progress
from diskimage_validator.engines.ssh.mounts import MOUNTINFO, kernel_mounts
from diskimage_validator.engines.ssh.options import Destination, SshOptions
from diskimage_validator.engines.ssh.rights import Rights
from diskimage_validator.engines.ssh.sftp import scan
from diskimage_validator.engines.ssh.sums import Sums
from diskimage_validator.engines.ssh.tree import FIND_TIMEOUT, MAX_OUTPUT, Tree, find_command, parse_find
from diskimage_validator.errors import EngineError, PermissionDeniedError
from diskimage_validator.model import TargetInfo
from diskimage_validator.process import Completed

FEW: Final = 300
"""Stats that are asked for one by one. ``cat`` of a file takes five, a policy thousands."""
NAME_MAX: Final = 255
AMBIGUOUS: Final = 1 << 31
"""The first second since 1970 that a signed number of 32 bits cannot tell."""
UNTOLD: Final = "times of files after 2038 may be times before 1970, for SFTP does not tell them apart"
_LOST: Final = "is the node up? try again"
MOUNTINFO_LIMIT: Final = 16 * 1024 * 1024
Answer = TypeVar("Answer")


class SshEngine(Engine):
    """Read-only view of the node behind ``destination``, and what it runs. It never writes there."""

    name: ClassVar[str] = "ssh"
    live = True

    def __init__(
        self, destination: Destination, options: SshOptions | None = None, *, progress: Progress | None = None
    ) -> None:
        """Log in. Raises UsageError for options that make no sense, EngineError if there is no way in."""
        options = options or SshOptions()
        self._progress = progress
        self._stats: dict[str, Stat | None] = {}
        self._asked = 0
        self._tree: Tree | None = None
        self._around = Around()
        self._sums = Sums()
        self._opened: tuple[str, SFTPFile, int] | None = None
        """The file that was read last, and its size: headers and tables of one file are read one after the other."""
        self._no_tree = False
        self._kernel: frozenset[str] | None = None
        self._lost = ""
        self._connection = Connection(destination, options, progress=progress)
        super().__init__(TargetInfo(name=f"ssh://{self._connection.hop}", kind="node"))
        try:
            self._rights = Rights(self._connection, options)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def run(
        self,
        command: Sequence[str],
        *,
        timeout: float,
        as_root: bool = False,
        limit: int = RUN_LIMIT,
        stdin: bytes = b"",
    ) -> Completed:
        """Run ``command`` on the node: see Engine."""
        try:
            shell = self._rights.root_shell() if as_root else self._rights.shell()
        except PermissionDeniedError as error:
            raise self.deny(command[0], error.message) from error
        status, output, errors = shell.run(command, timeout=timeout, limit=limit, stdin=stdin)
        return Completed(status, output.decode("utf-8", "replace"), errors.decode("utf-8", "replace"))

    # Files, one by one.

    def _lstat(self, path: str) -> Stat | None:
        if path not in self._stats:
            self._asked += 1
            if self._asked > FEW:
                self._take_tree()
        if path not in self._stats:
            nothing = self._is_kernels(path) or (self._tree is not None and not _is_closed(self._tree, path))
            found = None if nothing else self._attempt(path, lambda: self._ask(path))
            if found is not None and self._settle_times([found]):
                found = self._stats.get(path, found)
            self._stats[path] = found
        return self._stats[path]

    def _ask(self, path: str) -> Stat | None:
        name = os.fsencode(path)
        if any(len(part) > NAME_MAX for part in name.split(b"/")):
            return None
        try:
            return _stat(self._rights.sftp.lstat(name))
        except FileNotFoundError:  # also for ENOTDIR and ELOOP: errno_to_portable of OpenSSH's sftp-server.c
            return None

    def _readlink(self, path: str) -> str:
        if self._tree is not None and path in self._tree.links:
            return self._tree.links[path]
        return self._attempt(path, lambda: os.fsdecode(self._rights.sftp.readlink(os.fsencode(path)) or ""))

    def _read(self, path: str, offset: int, size: int) -> bytes:
        if self._tree is not None and path in self._tree.entries:
            content = self._around.content(path, self._tree, self._rights.best_shell)
            if content is not None:
                return content[offset : offset + size]
        return self._attempt(path, lambda: self._read_now(path, offset, size))

    def _read_now(self, path: str, offset: int, size: int) -> bytes:
        # What was open is not closed in so many words: so the library asks for it without waiting for the answer.
        opened, self._opened = self._opened, None
        if opened is None or opened[0] != path:
            opened = path, *self._open(path)
        _, file, length = opened
        file.seek(offset)
        end = min(offset + size, length)
        if end - offset > SMALL:  # worth several requests at a time; one brings 32 KiB
            # Where the file got shorter meanwhile, the library would wait for their answers at the next read for ever.
            file.prefetch(end, max_concurrent_requests=64)
            return file.read(size)
        data = file.read(size)
        self._opened = opened
        return data

    def _open(self, path: str) -> tuple[SFTPFile, int]:
        file = self._rights.sftp.open(os.fsencode(path), "rb")
        entry = _stat(file.stat())
        if not entry.is_file:
            raise EngineError(f"{path}: no longer a regular file")
        return file, entry.size

    def _digests(self, paths: Sequence[str], algorithm: str) -> dict[str, str]:
        found = self._sums.of(paths, algorithm, self._rights.best_shell)
        rest = [path for path in paths if path not in found]
        if found and rest and self._elevate():
            found |= self._sums.of(rest, algorithm, self._rights.best_shell)
        return found

    def _listdir(self, path: str) -> list[str]:
        return [name for name, _ in self._scan(path)]

    def _scan(self, path: str) -> list[tuple[str, Stat]]:
        if self._tree is None:
            if path in self._kernel_mounts():
                return []
            found = self._attempt(path, lambda: self._scan_now(path))
            if found is not None and not self._settle_times(entry for _, entry in found):
                self._stats.update((posixpath.join(path, name), entry) for name, entry in found)
                return found
            self._take_tree()
        tree = self._tree
        if tree is None:
            raise EngineError(f"{path}: a name in it is not UTF-8", "to read it takes a shell and GNU find on the node")
        if path in tree.closed:
            raise self.deny(path, self._rights.reason)
        return [(name, tree.entries[posixpath.join(path, name)]) for name in tree.names.get(path, ())]

    def _scan_now(self, path: str) -> list[tuple[str, Stat]] | None:
        """Return what is in a folder, None if the SSH library cannot read a name: it knows UTF-8 only."""
        try:
            return [(entry.filename, _stat(entry)) for entry in scan(self._rights.sftp, os.fsencode(path))]
        except FileNotFoundError:  # a live system lost it meanwhile
            return []
        except UnicodeDecodeError:
            return None

    def _settle_times(self, entries: Iterable[Stat]) -> bool:
        """Return whether the list of all files was taken for a time among ``entries`` that SFTP cannot tell.

        Its times are unsigned numbers of 32 bits (draft-ietf-secsh-filexfer-02, chapter 5), so that one before 1970
        looks like one after 2038. Where nobody can list the files, a note says so.
        """
        if self._tree is not None or all(entry.mtime < AMBIGUOUS for entry in entries):
            return False
        self._take_tree()
        if self._tree is None and UNTOLD not in self.notes:
            self.notes.append(UNTOLD)
        return self._tree is not None

    def expect_walk(self) -> None:
        """Take the list of all files now: whatever is asked about them then needs no further question."""
        self._take_tree()

    def walk(self, path: str) -> Iterator[tuple[str, Stat]]:
        """Yield (path, lstat) of everything below ``path``: see Engine."""
        self._take_tree()
        return super().walk(path)

    def _attempt(self, path: str, ask: Callable[[], Answer]) -> Answer:
        """Return the answer, as root if it has to be. A connection that is lost is not asked again."""
        if self._lost:
            raise EngineError(self._lost, _LOST)
        try:
            try:
                return ask()
            except PermissionError:
                if not self._elevate():
                    raise
                return ask()
        except PermissionError:
            raise self.deny(path, self._rights.reason) from None
        except (TimeoutError, EOFError, SSHException) as error:
            self._lost = f"{self.target.name}: the connection is lost: {error or type(error).__name__}"
            self._connection.close()
            raise EngineError(self._lost, _LOST) from error
        except (OSError, SFTPError, ValueError) as error:  # ValueError: an answer that makes no sense
            if not self._connection.transport.is_active():
                self._lost = f"{self.target.name}: the connection is lost: {error}"
            raise EngineError(self._lost or f"{path}: {error}", _LOST if self._lost else "") from error

    def _elevate(self) -> bool:
        if not self._rights.elevate():
            return False
        self.notes.append("what the account may not read was read as root, through sudo")
        return True

    # All files at once.

    def _take_tree(self) -> None:
        """Have the node name all its files. Where it cannot (no shell, another find), they are asked for one by one."""
        if self._tree is not None or self._no_tree:
            return
        if self._progress:
            self._progress("taking the list of all files")
        self._tree = self._list_all()
        if self._tree is not None and self._tree.closed and self._elevate():
            self._tree = self._list_all()
        self._no_tree = self._tree is None
        if self._tree is not None:
            self._stats = dict(self._tree.entries)

    def _list_all(self) -> Tree | None:
        command = find_command(self._kernel_mounts())
        try:
            shell = self._rights.best_shell()
            status, output, errors = shell.run(command, timeout=FIND_TIMEOUT, limit=MAX_OUTPUT)
            if status != 0 and not errors:
                raise EngineError(f"find on the node ended with status {status}")
            return parse_find(output, errors)
        except (EngineError, PermissionDeniedError) as error:
            self.notes.append(f"the files were listed one by one: {error.message}")
            return None

    def _is_kernels(self, path: str) -> bool:
        if path.startswith(KERNEL_FOLDERS):
            return any(path.startswith(f"{folder}/") for folder in self._kernel_mounts())
        return False

    def _kernel_mounts(self) -> frozenset[str]:
        if self._kernel is None:
            text = self._attempt(MOUNTINFO, lambda: self._read_now(MOUNTINFO, 0, MOUNTINFO_LIMIT))
            self._kernel = kernel_mounts(text)
        return self._kernel


def _is_closed(tree: Tree, path: str) -> bool:
    """Whether ``path`` is below a folder that find could not enter, so that its list does not tell."""
    while tree.closed and path != "/":
        path = posixpath.dirname(path)
        if path in tree.closed:
            return True
    return False


def _stat(entry: SFTPAttributes) -> Stat:
    mode, uid, gid, size, mtime = entry.st_mode, entry.st_uid, entry.st_gid, entry.st_size, entry.st_mtime
    if mode is None or uid is None or gid is None or size is None or mtime is None:
        raise EngineError("the SFTP server does not say what kind of file this is")
    return Stat(mode, uid, gid, size, mtime)
