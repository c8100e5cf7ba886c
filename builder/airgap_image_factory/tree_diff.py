"""Compare the content of two roots: every path's type, mode, owner, size, content, link target, mtime and attributes.

A snapshot is taken from a mounted or unpacked root (``snapshot_folder``) or, through the validator's engines, from an
image that is neither (``snapshot_engine``; slower, and without extended attributes). ``compare`` names each difference
by path and field, so that two builds of one image can be held against each other::

    differences = compare(snapshot_folder(Path("/mnt/a")), snapshot_folder(Path("/mnt/b")))
"""

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, Self

from diskimage_validator.engines.base import Engine

BLOCK: Final = 1 << 20
"""Bytes that are read of a file at a time."""
ABSENT: Final = "absent"


@dataclass(frozen=True)
class Entry:
    """One path. ``mode`` has type and permissions as in stat(2); ``mtime`` is whole seconds (UTC).

    ``size`` is None for what is no regular file: the size of a directory tells of its history, not of its content.
    ``content`` is the sha256 of a file, the target of a link, the numbers of a device, else empty. ``links`` counts the
    names of a file. ``attributes`` holds extended attributes, such as a file's capabilities, as (name, hex value).
    The last two are None where they cannot be told.
    """

    mode: int
    uid: int
    gid: int
    size: int | None
    mtime: int
    content: str
    links: int | None = None
    attributes: tuple[tuple[str, str], ...] | None = None


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
"""Absolute path in the root to what is there."""


def snapshot_folder(root: Path) -> dict[str, Entry]:
    """Return all that is in the folder ``root``, itself included as ``/``.

    Links are not followed; other file systems mounted below it count as content. Raises OSError if something cannot be
    read.
    """
    found = {"/": _entry_of(root)}
    pending = [root]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                path = Path(entry.path)
                found[f"/{path.relative_to(root)}"] = _entry_of(path)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
    return found


def snapshot_engine(engine: Engine) -> dict[str, Entry]:
    """Return all that is in the target of ``engine``, ``/`` included. Raises the engine's errors."""
    found = {}
    root = engine.stat("/")
    for path, status in [*([("/", root)] if root else []), *engine.walk("/")]:
        content = ""
        if status.is_file:
            content = _digest_through(engine, path, status.size)
        elif status.is_link:
            content = engine.readlink(path)
        size = status.size if status.is_file else None
        found[path] = Entry(status.mode, status.uid, status.gid, size, status.mtime, content)
    return found


def compare(left: Snapshot, right: Snapshot) -> list[Difference]:
    """Return every difference, ordered by path. What one of the two sides cannot tell is not compared."""
    found = []
    for path in sorted(left.keys() | right.keys()):
        one, other = left.get(path), right.get(path)
        if one is None or other is None:
            found.append(Difference.of(path, "path", _presence(one), _presence(other)))
            continue
        for field in fields(Entry):
            values = getattr(one, field.name), getattr(other, field.name)
            if values[0] != values[1] and (None not in values or field.name == "size"):
                found.append(Difference.of(path, field.name, *values))
    return found


def _presence(entry: Entry | None) -> str:
    return ABSENT if entry is None else "present"


def _entry_of(path: Path) -> Entry:
    status = path.lstat()
    is_file = stat.S_ISREG(status.st_mode)
    content = ""
    if is_file:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    elif stat.S_ISLNK(status.st_mode):
        content = os.readlink(path)  # noqa: PTH115 - Path normalises the text, and "a/" differs from "a"
    elif stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        content = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    return Entry(
        mode=status.st_mode,
        uid=status.st_uid,
        gid=status.st_gid,
        size=status.st_size if is_file else None,
        mtime=status.st_mtime_ns // 1_000_000_000,
        content=content,
        links=status.st_nlink if is_file else None,
        attributes=_attributes_of(path),
    )


def _attributes_of(path: Path) -> tuple[tuple[str, str], ...]:
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return tuple((name, os.getxattr(path, name, follow_symlinks=False).hex()) for name in names)


def _digest_through(engine: Engine, path: str, size: int) -> str:
    digest = hashlib.sha256()
    for offset in range(0, size, BLOCK):
        digest.update(engine.read(path, offset=offset, limit=BLOCK, whole=False))
    return digest.hexdigest()
