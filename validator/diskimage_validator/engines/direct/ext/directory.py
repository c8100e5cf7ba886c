"""Directories: Documentation/filesystems/ext4/directory.rst.

All of them are lists of entries; those with an index ("hash tree directories") keep it in entries that seem unused. So
one reader is enough, and as the kernel does, it takes a block only whole: __ext4_check_dir_entry() of fs/ext4/dir.c.
"""

import struct
from typing import Final

from diskimage_validator.errors import DeclinedError

ENTRY: Final = struct.Struct("<IHB")
"""Inode, bytes to the next entry, bytes of the name. What follows is the kind, which the inode knows better."""
NAME: Final = 8
SMALLEST: Final = 12
"""Bytes of an entry with a name of one byte."""
MOST: Final = 200_000
"""Names of one directory."""

Entry = tuple[bytes, int]
"""Name and inode."""


def parse_block(block: bytes) -> list[Entry]:
    """Return the entries of a block that are in use. Raises DeclinedError if one does not fit."""
    end = len(block)
    last = end - SMALLEST
    unpack = ENTRY.unpack_from
    found = []
    at = 0
    while at < end:
        inode, length, width = unpack(block, at)
        after = at + length
        if length < SMALLEST or length & 3 or length < NAME + width or (after > last and after != end):
            raise DeclinedError("ext: a directory has an entry that does not fit into its block")
        if inode:
            found.append((block[at + NAME : at + NAME + width], inode))
        at = after
    return found


def parse_directory(data: bytes, block_size: int, number: int) -> tuple[list[str], list[int]]:
    """Return names and inodes of the directory ``number``, without ``.`` and ``..``.

    Names that are not UTF-8 are surrogate-escaped. Raises DeclinedError for a name that no file can have or that is
    there twice, and for a directory that does not begin with itself and its parent.
    """
    found: list[Entry] = []
    for at in range(0, len(data), block_size):
        found += parse_block(data[at : at + block_size])
        if len(found) > MOST:
            raise DeclinedError(f"ext: directory {number} has more than {MOST} names")
    if len(found) < 2 or found[0] != (b".", number) or found[1][0] != b"..":
        raise DeclinedError(f"ext: inode {number} is no directory as the kernel makes them")
    del found[:2]
    if not found:
        return [], []
    # At once for all names, which none of them can notice: a name has no slash, and a slash is no part of a character.
    text = b"/".join([name for name, _ in found]).decode("utf-8", "surrogateescape")
    names = text.split("/")
    distinct = set(names)
    if not len(distinct) == len(names) == len(found) or "\0" in text or not distinct.isdisjoint(("", ".", "..")):
        raise DeclinedError(f"ext: directory {number} has a name twice, or one that no file can have")
    return names, [inode for _, inode in found]


def find_entry(data: bytes, block_size: int, name: bytes) -> int | None:
    """Return the inode that a directory calls ``name``, None if it has no such name.

    A name that is there is among the bytes: only blocks that have them are parsed.
    """
    at = data.find(name)
    while at >= 0:
        start = at - at % block_size
        for found, inode in parse_block(data[start : start + block_size]):
            if found == name:
                return inode
        at = data.find(name, start + block_size)
    return None
