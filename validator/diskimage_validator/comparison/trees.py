"""Compare the files of two targets: every path's type, mode, owner, size, link target and, if asked for, every byte.

``snapshot`` reads one target through an engine, ``compare`` names each difference by path and field::

    differences = compare(snapshot(old, content=everything), snapshot(new, content=everything))
"""

import hashlib
import stat
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from typing import Final, Self

from diskimage_validator.engines.base import Engine

BLOCK: Final = 1 << 20
"""Bytes that are read of a file at a time."""
ABSENT: Final = "absent"
PRESENT: Final = "present"
KINDS: Final = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "link",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
}


@dataclass(frozen=True)
class Entry:
    """One path. ``mode`` has type and permissions as in stat(2); ``mtime`` is whole seconds (UTC).

    ``size`` is None for what is no regular file: the size of a directory tells of its history, not of its content.
    ``content`` is the sha256 of a file, the target of a link, else empty. ``links`` counts the names of a file,
    ``attributes`` holds extended attributes as (name, hex value). The last three are None where they were not read.
    """

    mode: int
    uid: int
    gid: int
    size: int | None
    mtime: int
    content: str | None = None
    links: int | None = None
    attributes: tuple[tuple[str, str], ...] | None = None

    @property
    def kind(self) -> str:
        """Type in words."""
        return KINDS.get(stat.S_IFMT(self.mode), "unknown")


@dataclass(frozen=True, order=True)
class Difference:
    """One difference: ``field`` is a field of Entry, or ``path`` if only one side has the path at all."""

    path: str
    field: str
    left: str
    right: str

    def __str__(self) -> str:
        return f"{self.path}: {self.field}: {self.left} | {self.right}"

    @classmethod
    def of(cls, path: str, field: str, left: object, right: object) -> Self:
        """Return a difference with both values in words; a mode is written in octal."""
        if field == "mode" and isinstance(left, int) and isinstance(right, int):
            return cls(path, field, oct(left), oct(right))
        return cls(path, field, str(left), str(right))


Snapshot = Mapping[str, Entry]
"""Absolute path in the target to what is there."""


def snapshot(engine: Engine, *, content: Callable[[str], bool]) -> dict[str, Entry]:
    """Return all that is in the target of ``engine``, ``/`` included. Raises the engine's errors.

    ``content`` says for a path whether the bytes of that file are read; links are always read.
    """
    found = {}
    root = engine.stat("/")
    for path, status in [*([("/", root)] if root else []), *engine.walk("/")]:
        text: str | None = ""
        if status.is_file:
            text = _digest(engine, path, status.size) if content(path) else None
        elif status.is_link:
            text = engine.readlink(path)
        size = status.size if status.is_file else None
        found[path] = Entry(status.mode, status.uid, status.gid, size, status.mtime, text)
    return found


def compare(left: Snapshot, right: Snapshot, *, ignore: Collection[str] = ()) -> list[Difference]:
    """Return every difference but those of the fields in ``ignore``, ordered by path.

    What one of the two sides cannot tell is not compared.
    """
    names = [field.name for field in fields(Entry) if field.name not in ignore]
    found = []
    for path in sorted(left.keys() | right.keys()):
        one, other = left.get(path), right.get(path)
        if one is None or other is None:
            found.append(Difference(path, "path", PRESENT if one else ABSENT, PRESENT if other else ABSENT))
            continue
        for name in names:
            values = getattr(one, name), getattr(other, name)
            if values[0] != values[1] and (None not in values or name == "size"):
                found.append(Difference.of(path, name, *values))
    return found


def _digest(engine: Engine, path: str, size: int) -> str:
    digest = hashlib.sha256()
    for offset in range(0, size, BLOCK):
        digest.update(engine.read(path, offset=offset, limit=BLOCK, whole=False))
    return digest.hexdigest()
