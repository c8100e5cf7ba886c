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


def parse_block(block: bytes) -> tuple[list[bytes], list[int]]:
    """Return names and inodes of the entries of a block that are in use. Raises DeclinedError if one does not fit."""
    end = len(block)
    last = end - SMALLEST
    unpack = ENTRY.unpack_from
    names, inodes = [], []
    at = 0
    while at < end:
        inode, length, width = unpack(block, at)
        after = at + length
        if length < SMALLEST or length & 3 or length < NAME + width or (after > last and after != end):
            raise DeclinedError("ext: a directory has an entry that does not fit into its block")
        if inode:
            names.append(block[at + NAME : at + NAME + width])
            inodes.append(inode)
        at = after
    return names, inodes


def parse_directory(data: bytes, block_size: int, number: int) -> tuple[list[str], list[int]]:
    """Return names and inodes of the directory ``number``, without ``.`` and ``..``.

    Names that are not UTF-8 are surrogate-escaped. Raises DeclinedError for a name that no file can have or that is
    there twice, and for a directory that does not begin with itself and its parent.
    """
    raw: list[bytes] = []
    inodes: list[int] = []
    for at in range(0, len(data), block_size):
        more = parse_block(data[at : at + block_size])
        raw += more[0]
        inodes += more[1]
        if len(raw) > MOST:
            raise DeclinedError(f"ext: directory {number} has more than {MOST} names")
    if raw[:2] != [b".", b".."] or inodes[0] != number:
        raise DeclinedError(f"ext: inode {number} is no directory as the kernel makes them")
    del raw[:2], inodes[:2]
    if not raw:
        return [], []
    # At once for all names, which none of them can notice: a name has no slash, and a slash is no part of a character.
    text = b"/".join(raw).decode("utf-8", "surrogateescape")
    names = text.split("/")
    distinct = set(names)
    if not len(distinct) == len(names) == len(raw) or "\0" in text or not distinct.isdisjoint(("", ".", "..")):
        raise DeclinedError(f"ext: directory {number} has a name twice, or one that no file can have")
    return names, inodes


def find_entry(data: bytes, block_size: int, name: bytes) -> int | None:
    """Return the inode that a directory calls ``name``, None if it has no such name.

    A name that is there is among the bytes: only blocks that have them are parsed.
    """
    at = data.find(name)
    while at >= 0:
        start = at - at % block_size
        names, inodes = parse_block(data[start : start + block_size])
        if name in names:
            return inodes[names.index(name)]
        at = data.find(name, start + block_size)
    return None
