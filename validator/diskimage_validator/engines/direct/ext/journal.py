"""What the journal's own superblock says: Documentation/filesystems/ext4/journal.rst. Its numbers are big-endian."""

import struct
from typing import Final

from diskimage_validator.engines.direct.ext.content import read_content
from diskimage_validator.engines.direct.ext.inodes import Inode
from diskimage_validator.engines.direct.ext.runs import Space
from diskimage_validator.errors import DeclinedError

HEADER: Final = struct.Struct(">IIIII12xi")
"""Magic, kind of block, number, size of a block, blocks, and the error after which the journal was given up."""
MAGIC: Final = 0xC03B3998
SUPERBLOCKS: Final = (3, 4)


def journal_blocks(space: Space, inode: Inode) -> int:
    """Return the number of the journal's blocks. Raises DeclinedError for one that the kernel would not take."""
    raw = read_content(space, inode, 0, HEADER.size).ljust(HEADER.size, b"\0")
    magic, kind, _, block_size, blocks, error = HEADER.unpack(raw)
    if magic != MAGIC or kind not in SUPERBLOCKS or block_size != space.block_size:
        raise DeclinedError("ext: the journal is corrupted")
    if blocks * block_size > inode.size:
        raise DeclinedError("ext: the journal is shorter than it says")
    if error:
        raise DeclinedError(f"ext: the journal was given up after error {error}", "e2fsck mends it")
    return int(blocks)
