"""Extent trees, which say where the blocks of a file are: Documentation/filesystems/ext4/ifork.rst.

The checks are those of __ext4_ext_check() in fs/ext4/extents.c. What a node says lies within what its parent says of
it, nothing overlaps and no node is empty: so there is no cycle, and what is asked for limits what is read.
"""

import struct
from collections.abc import Iterator
from typing import Final

from diskimage_validator.engines.direct.ext.checksum import crc32c
from diskimage_validator.engines.direct.ext.inodes import Inode
from diskimage_validator.engines.direct.ext.runs import Run, Space
from diskimage_validator.errors import DeclinedError

HEADER: Final = struct.Struct("<4H4x")
"""Magic, entries, room for entries, levels below."""
MAGIC: Final = 0xF30A
MAX_DEPTH: Final = 5
"""EXT4_MAX_EXTENT_DEPTH of fs/ext4/ext4_extents.h."""
LEAF: Final = struct.Struct("<IHHI")
"""First logical block, number of blocks, upper and lower half of the first block on the volume."""
INDEX: Final = struct.Struct("<IIH2x")
"""First logical block, lower and upper half of the block with the node."""
CHECKSUM: Final = struct.Struct("<I")
UNWRITTEN: Final = 32768
"""An extent of more blocks has so many less, and these are allocated but not written: they read as zeros."""
END: Final = 1 << 32
"""Logical blocks have 32 bits."""


def extent_runs(space: Space, inode: Inode, first: int, end: int) -> Iterator[Run]:
    """Yield the runs of an inode's logical blocks from ``first`` to before ``end``. Raises DeclinedError."""
    depth = HEADER.unpack_from(inode.root)[3]
    if depth > MAX_DEPTH:
        raise DeclinedError(f"ext: the extent tree of inode {inode.number} is corrupted")
    tree = _Tree(space, inode, first, end)
    return tree.runs(inode.root, depth, 0, END) if depth else tree.leaf(inode.root, 0, END)


class _Tree:
    """The part of a tree that is about the logical blocks from ``first`` to before ``end``."""

    def __init__(self, space: Space, inode: Inode, first: int, end: int) -> None:
        self._space = space
        self._inode = inode
        self._first = first
        self._end = end

    def runs(self, node: bytes, depth: int, low: int, high: int) -> Iterator[Run]:
        """Yield the runs of a node, which is about the logical blocks from ``low`` to before ``high``."""
        children = list(INDEX.iter_unpack(self._entries(node, depth)))
        starts = [start for start, _, _ in children]
        for (start, block_low, block_high), after in zip(children, [*starts[1:], high], strict=True):
            if not low <= start < after <= high:
                raise self._corrupted()
            if start < self._end and after > self._first:
                child = self._node(block_low | block_high << 32, start)
                yield from self.runs(child, depth - 1, start, after) if depth > 1 else self.leaf(child, start, after)

    def leaf(self, node: bytes, low: int, high: int) -> Iterator[Run]:
        """Yield the runs of a node with nothing below it: most files have no other."""
        for start, count, block_high, block_low in LEAF.iter_unpack(self._entries(node, 0)):
            written = count <= UNWRITTEN
            after = start + (count if written else count - UNWRITTEN)
            if not low <= start < after <= high:
                raise self._corrupted()
            low = after
            block = block_low | block_high << 32
            self._space.check(block, after - start)
            skipped = max(self._first - start, 0)
            wanted = min(after, self._end) - start - skipped
            if written and wanted > 0:
                yield Run(start + skipped, block + skipped, wanted)

    def _entries(self, node: bytes, depth: int) -> bytes:
        """Return the entries of a node that has to have ``depth`` levels below it."""
        magic, count, room, levels = HEADER.unpack_from(node)
        if magic != MAGIC or levels != depth or not count <= room <= len(node) // HEADER.size - 1:
            raise self._corrupted()
        if not count and depth:
            raise self._corrupted()
        return node[HEADER.size : HEADER.size * (1 + count)]

    def _node(self, block: int, start: int) -> bytes:
        """Return the node in ``block``, the first entry of which has to be about the logical block ``start``."""
        node = self._space.read(block)
        _, count, room, _ = HEADER.unpack_from(node)
        if not count or LEAF.unpack_from(node, HEADER.size)[0] != start:
            raise self._corrupted()
        if self._inode.seed is not None:
            summed = HEADER.size * (1 + room)
            if len(node) < summed + CHECKSUM.size:
                raise self._corrupted()
            if CHECKSUM.unpack_from(node, summed)[0] != crc32c(self._inode.seed, node[:summed]):
                raise DeclinedError(f"ext: a checksum in the extent tree of inode {self._inode.number} is wrong")
        return node

    def _corrupted(self) -> DeclinedError:
        return DeclinedError(f"ext: the extent tree of inode {self._inode.number} is corrupted")
