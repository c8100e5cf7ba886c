"""One defect at a time on top of a sound tree that is only ever read: a real image, an unpacked root, a dict."""

import posixpath
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from diskimage_validator.engines.base import Disk, Engine, Stat
from diskimage_validator.model import Report, Status


@dataclass(frozen=True)
class Mutation:
    """A defect and what has to be said of it, no more and no less.

    ``family`` is ``deb``, ``rpm`` or ``both``: the trees that it can be applied to. ``expected`` has (check id, pattern
    of the subject) for every finding that does not pass; ``rules`` are sections of a policy for this defect alone.
    """

    id: str
    family: str
    change: Callable[["Draft"], None]
    expected: frozenset[tuple[str, str]]
    rules: Mapping[str, Any] = field(default_factory=dict)


def unexpected(mutation: Mutation, report: Report) -> list[str]:
    """Return what is wrong with the verdict on a mutated tree: findings that are missing, and others that are there."""
    found = {
        (result.check, result.finding.subject): result
        for result in report.results
        if result.status in (Status.FAIL, Status.ERROR)
    }
    wrong = [
        f"{result.status}: {check}: {subject}: {result.finding.message}"
        for (check, subject), result in found.items()
        if not any(check == wanted and fnmatchcase(subject, pattern) for wanted, pattern in mutation.expected)
    ]
    for wanted, pattern in sorted(mutation.expected):
        if not any(check == wanted and fnmatchcase(subject, pattern) for check, subject in found):
            wrong.append(f"not found: {wanted}: {pattern}")
    return wrong


@dataclass(frozen=True)
class Changed:
    """An entry of the upper layer: its stat and its content (a file) or text (a link)."""

    stat: Stat
    content: bytes = b""


class Remembered(Engine):
    """An engine that asks the one below it for everything at most once."""

    name: ClassVar[str] = "remembered"

    def __init__(self, base: Engine) -> None:
        super().__init__(base.target)
        self.base = base
        self._answers: dict[tuple[Any, ...], Any] = {}
        self._sums: dict[tuple[str, str], str] = {}

    def _once(self, *question: Any) -> Any:
        if question not in self._answers:
            self._answers[question] = getattr(self.base, question[0])(*question[1:])
        return self._answers[question]

    def _lstat(self, path: str) -> Stat | None:
        found: Stat | None = self._once("_lstat", path)
        return found

    def _readlink(self, path: str) -> str:
        return str(self._once("_readlink", path))

    def _read(self, path: str, offset: int, size: int) -> bytes:
        return bytes(self._once("_read", path, offset, size))

    def _listdir(self, path: str) -> list[str]:
        return list(self._once("_listdir", path))

    def _scan(self, path: str) -> list[tuple[str, Stat]]:
        return list(self._once("_scan", path))

    def _digests(self, paths: Sequence[str], algorithm: str) -> dict[str, str]:
        new = [path for path in paths if (path, algorithm) not in self._sums]
        found = self.base.digests(new, algorithm)
        self._sums |= {(path, algorithm): told for path, told in found.items() if isinstance(told, str)}
        return {path: self._sums[path, algorithm] for path in paths if (path, algorithm) in self._sums}

    def disk(self) -> Disk | None:
        found: Disk | None = self._once("disk")
        return found


class Draft(Engine):
    """A tree with changes on top of ``base``, which stays as it is. Paths may lead through links of the tree."""

    name: ClassVar[str] = "draft"

    def __init__(self, base: Engine) -> None:
        super().__init__(base.target)
        self.base = base
        self._upper: dict[str, Changed] = {}
        self._removed: set[str] = set()
        self._disk = base.disk()

    # Changes.

    def write(self, path: str, content: bytes | str, *, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        """Write a regular file; missing folders are made."""
        data = content.encode() if isinstance(content, str) else content
        self._put(path, Changed(Stat(stat.S_IFREG | mode, uid, gid, len(data), 0), data))

    def append(self, path: str, content: bytes | str) -> None:
        """Add to the end of a file that is there; mode and owner stay."""
        self._rewrite(path, self.read(path) + (content.encode() if isinstance(content, str) else content))

    def replace(self, path: str, old: bytes | str, new: bytes | str) -> None:
        """Replace text that has to be in the file; mode and owner stay."""
        before, after = (text.encode() if isinstance(text, str) else text for text in (old, new))
        content = self.read(path)
        assert before in content, f"{path} has no {old!r}"
        self._rewrite(path, content.replace(before, after))

    def remove(self, path: str) -> None:
        """Remove a file, a link or a whole folder that has to be there."""
        real = self.resolve(path, follow_last=False)
        assert self._lstat(real) is not None, f"{path} is not there"
        self._upper = {name: entry for name, entry in self._upper.items() if not f"{name}/".startswith(f"{real}/")}
        self._removed.add(real)

    def link(self, path: str, text: str) -> None:
        """Make a symbolic link."""
        self._put(path, Changed(Stat(stat.S_IFLNK | 0o777, 0, 0, len(text), 0), text.encode()))

    def mkdir(self, path: str, *, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        """Make a folder; missing parents are made."""
        self._put(path, Changed(Stat(stat.S_IFDIR | mode, uid, gid, 4096, 0)))

    def chmod(self, path: str, mode: int) -> None:
        """Set the permission bits of what is there."""
        self._restat(path, lambda old: old._replace(mode=stat.S_IFMT(old.mode) | mode))

    def chown(self, path: str, uid: int, gid: int) -> None:
        """Set the owner of what is there."""
        self._restat(path, lambda old: old._replace(uid=uid, gid=gid))

    def change_disk(self, **changes: Any) -> None:
        """Replace fields of the disk. Only for trees that have one."""
        assert self._disk is not None
        self._disk = replace(self._disk, **changes)

    def _put(self, path: str, entry: Changed) -> None:
        real = self.resolve(path, follow_last=False)
        parent = posixpath.dirname(real)
        if self._lstat(parent) is None:
            self.mkdir(parent)
        self._upper[real] = entry

    def _rewrite(self, path: str, content: bytes) -> None:
        real = self.resolve(path)
        entry = self._lstat(real)
        assert entry is not None
        self._upper[real] = Changed(entry._replace(size=len(content)), content)

    def _restat(self, path: str, change: Callable[[Stat], Stat]) -> None:
        real = self.resolve(path)
        entry = self._lstat(real)
        assert entry is not None, f"{path} is not there"
        content = self._read(real, 0, entry.size) if entry.is_file else b""
        self._upper[real] = Changed(change(entry), content)

    # Primitives of the engine protocol.

    def _hidden(self, path: str) -> bool:
        """Whether ``path`` or a folder above it was removed, so that nothing of the lower layer shows through."""
        return any(path == removed or path.startswith(f"{removed}/") for removed in self._removed)

    def _scan(self, path: str) -> list[tuple[str, Stat]]:
        changed = (*self._upper, *self._removed)
        if path in self._upper or self._hidden(path) or any(posixpath.dirname(name) == path for name in changed):
            return super()._scan(path)
        return self.base._scan(path)

    def _lstat(self, path: str) -> Stat | None:
        if path in self._upper:
            return self._upper[path].stat
        return None if self._hidden(path) else self.base._lstat(path)

    def _content(self, path: str) -> bytes | None:
        entry = self._upper.get(path)
        return entry.content if entry else None

    def _readlink(self, path: str) -> str:
        content = self._content(path)
        return self.base._readlink(path) if content is None else content.decode()

    def _read(self, path: str, offset: int, size: int) -> bytes:
        content = self._content(path)
        return self.base._read(path, offset, size) if content is None else content[offset : offset + size]

    def _digests(self, paths: Sequence[str], algorithm: str) -> dict[str, str]:
        return self.base._digests([path for path in paths if path not in self._upper], algorithm)

    def _listdir(self, path: str) -> list[str]:
        lower = None if self._hidden(path) else self.base._lstat(path)
        below = self.base._listdir(path) if lower and lower.is_dir else []
        names = {name for name in below if posixpath.join(path, name) not in self._removed}
        return sorted(
            names | {posixpath.basename(changed) for changed in self._upper if posixpath.dirname(changed) == path}
        )

    def disk(self) -> Disk | None:
        return self._disk
