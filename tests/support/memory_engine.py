"""An engine whose target is a dict: parsers and checks are tested against it without any disk."""

import os
import posixpath
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from diskimage_validator.engines.base import Disk, Engine, Stat
from diskimage_validator.errors import TargetError
from diskimage_validator.model import TargetInfo


@dataclass(frozen=True)
class Link:
    """A symbolic link with this text."""

    text: str


@dataclass(frozen=True)
class File:
    """A regular file; ``mode`` is its permission bits."""

    content: bytes = b""
    mode: int = 0o644


@dataclass(frozen=True)
class Folder:
    """A folder with these permission bits. Folders with something in them need no entry, unless for their bits."""

    mode: int = 0o755


class Broken:
    """A file that cannot be read: its engine fails with an I/O error."""


Entry = bytes | str | Link | File | Folder | Broken
TARGET = TargetInfo("memory.qcow2", "disk-image", "qcow2", "ab" * 32, 400 * 1024**2, 4 * 1024**3)


class MemoryEngine(Engine):
    """A target made of ``tree``: absolute paths to content (bytes or text), links or files. Folders are implied."""

    name: ClassVar[str] = "memory"

    def __init__(self, tree: Mapping[str, Entry], *, disk: Disk | None = None, target: TargetInfo = TARGET) -> None:
        super().__init__(target)
        self._disk = disk
        self._entries = {path: self._entry(content) for path, content in tree.items()}
        self._folders: dict[str, set[str]] = {"/": set()}
        self._folders |= {path: set() for path, entry in self._entries.items() if isinstance(entry, Folder)}
        for path in self._entries:
            child = path
            while child != "/":
                parent, name = posixpath.split(child)
                self._folders.setdefault(parent, set()).add(name)
                child = parent

    @staticmethod
    def _entry(content: Entry) -> Link | File | Folder | Broken:
        if isinstance(content, str):
            content = content.encode()
        return File(content) if isinstance(content, bytes) else content

    def _lstat(self, path: str) -> Stat | None:
        assert b"\0" not in os.fsencode(path), "the system would refuse this path"
        entry = self._entries.get(path)
        if isinstance(entry, Link):
            return Stat(stat.S_IFLNK | 0o777, 0, 0, len(entry.text), 0)
        if isinstance(entry, File):
            return Stat(stat.S_IFREG | entry.mode, 0, 0, len(entry.content), 0)
        if isinstance(entry, Broken):
            return Stat(stat.S_IFREG | 0o644, 0, 0, 1, 0)
        mode = entry.mode if isinstance(entry, Folder) else 0o755
        return Stat(stat.S_IFDIR | mode, 0, 0, 4096, 0) if path in self._folders else None

    def _readlink(self, path: str) -> str:
        entry = self._entries[path]
        assert isinstance(entry, Link)
        return entry.text

    def _read(self, path: str, offset: int, size: int) -> bytes:
        entry = self._entries[path]
        if not isinstance(entry, File):
            raise TargetError(f"{path}: Input/output error")
        return entry.content[offset : offset + size]

    def _listdir(self, path: str) -> list[str]:
        return list(self._folders[path])

    def disk(self) -> Disk | None:
        return self._disk
