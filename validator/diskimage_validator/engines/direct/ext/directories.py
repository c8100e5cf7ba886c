"""The tree of directories: from a path to an inode, and from a directory to its names.

A directory has one name. What is met under a second one would make a walk endless, or as long as one likes, so it is
declined; and so are more bytes of directories than any node has.
"""

import stat
from typing import Final

from diskimage_validator.engines.base import Stat
from diskimage_validator.engines.direct.ext.content import first_block, read_content
from diskimage_validator.engines.direct.ext.directory import find_entry, parse_directory
from diskimage_validator.engines.direct.ext.directory_checksum import check_directory
from diskimage_validator.engines.direct.ext.inodes import ROOT, Inode, Inodes
from diskimage_validator.engines.direct.ext.runs import Space
from diskimage_validator.engines.direct.ext.volume import WINDOW_BITS
from diskimage_validator.errors import DeclinedError, EntryNotFoundError

INDEXED: Final = 0x1000
"""EXT4_INDEX_FL: the first block of the directory is the root of an index."""
LARGEST: Final = 16 << 20
"""Bytes of one directory: twice what its most names need, if they are short."""
ALL_BYTES: Final = 2 << 30
ALL_NAMES: Final = 4_000_000
"""What is read of all directories together. A node has a thousandth of the names."""
FILES: Final = 200_000
"""Entries whose inode is kept after their directory was scanned: they may be read next."""
AHEAD: Final = 64
"""Directories in a directory that are on their way while it is worked upon: those that a walk enters next."""
HELD: Final = 4 << 20
"""Bytes of directories that are kept: whoever looks for one name often looks for its neighbours next."""


class Directories:
    """Paths are absolute within the file system; no component but the last one is a symbolic link."""

    def __init__(self, space: Space, inodes: Inodes) -> None:
        self._space = space
        self._inodes = inodes
        self._numbers = {"/": ROOT}
        self._children: dict[int, dict[str, int]] = {}
        self._kept = 0
        self._stats: dict[int, Stat] = {}
        self._paths = {ROOT: "/"}
        self._read: set[int] = set()
        self._listed: set[int] = set()
        self._bytes = self._names = 0
        self._held: dict[int, bytes] = {}
        self._held_bytes = 0
        self._expected: dict[int, Inode] = {}

    def find(self, path: str) -> int | None:
        """Return the inode of ``path``, None if there is no such entry."""
        known = self._numbers.get(path)
        if known is not None:
            return known
        parent, _, name = path.rpartition("/")
        folder = self._folder(parent or "/")
        return None if folder is None else self._entry(folder, name)

    def known(self, number: int) -> Stat | None:
        """Return what a scan said of an inode, None if there was none, or too many."""
        return self._stats.get(number)

    def names(self, path: str) -> list[str]:
        """Return the names in a directory. Raises EntryNotFoundError if there is none."""
        return self._parse(path)[0]

    def scan(self, path: str) -> list[tuple[str, Stat]]:
        """Return name and lstat of every entry of a directory. Raises EntryNotFoundError if there is none."""
        names, numbers = self._parse(path)
        stats = self._inodes.stats(numbers)
        found = list(zip(names, stats, strict=True))
        prefix = path.rstrip("/")
        below = []
        for (name, entry), number in zip(found, numbers, strict=True):
            if entry.mode & 0xF000 == stat.S_IFDIR:
                self._enter(f"{prefix}/{name}", number)
                below.append((name, number, entry))
        if below:
            self._expect(below)
        folder = self._numbers[path]
        if folder not in self._children and self._kept < FILES:
            self._kept += len(names)
            self._children[folder] = dict(zip(names, numbers, strict=True))
            self._stats.update(zip(numbers, stats, strict=True))
        return found

    def _expect(self, folders: list[tuple[str, int, Stat]]) -> None:
        """Have the first blocks of directories on their way, in the order in which Engine.walk scans them."""
        folders.sort(reverse=True)
        windows: dict[int, None] = {}
        for _, number, entry in folders[:AHEAD]:
            inode = self._expected[number] = self._inodes.inode(number, known=entry)
            block = first_block(inode)
            if block is not None:
                windows[block * self._space.block_size >> WINDOW_BITS] = None
        self._space.volume.expect(windows)

    def _parse(self, path: str) -> tuple[list[str], list[int]]:
        """Return names and inodes of what is in a directory."""
        folder = self._folder(path)
        if folder is None:
            raise EntryNotFoundError(f"{path}: no such directory")
        found = parse_directory(self._data(folder), self._space.block_size, folder)
        if folder not in self._listed:
            self._listed.add(folder)
            self._names += len(found[0])
            if self._names > ALL_NAMES:
                raise DeclinedError(f"ext: more than {ALL_NAMES} names")
        return found

    def _entry(self, folder: int, name: str) -> int | None:
        if folder in self._children:
            return self._children[folder].get(name)
        return find_entry(self._data(folder), self._space.block_size, name.encode("utf-8", "surrogateescape"))

    def _folder(self, path: str) -> int | None:
        """Return the inode of the directory ``path``, None if there is no such directory."""
        known = self._numbers.get(path)
        if known is not None:
            return known
        folder, at = ROOT, ""
        for part in path.split("/")[1:]:
            at = f"{at}/{part}"
            below = self._numbers.get(at)
            if below is None:
                below = self._entry(folder, part)
                if below is None or not self._inodes.stat(below).is_dir:
                    return None
                self._enter(at, below)
            folder = below
        return folder

    def _enter(self, path: str, number: int) -> None:
        """Take note of a directory. Raises DeclinedError if it has another name already."""
        if self._paths.setdefault(number, path) != path:
            raise DeclinedError(f"ext: directory {number} has two names")
        self._numbers[path] = number

    def _data(self, number: int) -> bytes:
        """Return the content of a directory: whole blocks, the checksums of which are right."""
        held = self._held.get(number)
        if held is not None:
            return held
        inode = self._expected.pop(number, None) or self._inodes.inode(number, known=self._stats.get(number))
        block_size = self._space.block_size
        if not stat.S_ISDIR(inode.mode):
            raise DeclinedError(f"ext: inode {number} is no directory")
        if not 0 < inode.size <= LARGEST or inode.size % block_size:
            raise DeclinedError(f"ext: directory {number} has {inode.size} bytes")
        if number not in self._read:
            self._read.add(number)
            self._bytes += inode.size
            if self._bytes > ALL_BYTES:
                raise DeclinedError(f"ext: more than {ALL_BYTES} bytes of directories")
        data = read_content(self._space, inode, 0, inode.size)
        if inode.seed is not None:
            check_directory(data, block_size, inode.seed, number, indexed=bool(inode.flags & INDEXED))
        while self._held and self._held_bytes + len(data) > HELD:
            self._held_bytes -= len(self._held.pop(next(iter(self._held))))
        self._held[number] = data
        self._held_bytes += len(data)
        return data
