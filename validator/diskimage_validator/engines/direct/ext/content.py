"""The bytes of a file, a link's text or a directory, from the blocks that an inode has."""

from typing import Final

from diskimage_validator.engines.direct.ext.extents import HEADER, LEAF, extent_runs
from diskimage_validator.engines.direct.ext.indirect import mapped_runs
from diskimage_validator.engines.direct.ext.inodes import EXTENTS, Inode
from diskimage_validator.engines.direct.ext.runs import Space
from diskimage_validator.errors import DeclinedError

FAST_LINK: Final = 60
"""Bytes of i_block: a shorter text is there, and the link has no blocks. ext4_inode_is_fast_symlink()."""
SECTOR: Final = 512


def read_content(space: Space, inode: Inode, offset: int, size: int) -> bytes:
    """Return up to ``size`` bytes from ``offset``, fewer at the end of the file. Holes read as zeros."""
    end = min(offset + size, inode.size)
    if end <= offset:
        return b""
    block_size = space.block_size
    runs = extent_runs if inode.flags & EXTENTS else mapped_runs
    parts = []
    at = offset
    for logical, block, blocks in runs(space, inode, offset // block_size, -(-end // block_size)):
        start = logical * block_size
        if start > at:
            parts.append(bytes(start - at))
            at = start
        length = min(start + blocks * block_size, end) - at
        parts.append(space.volume.read(block * block_size + at - start, length))
        at += length
    if at < end:
        parts.append(bytes(end - at))
    return b"".join(parts)


def first_block(inode: Inode) -> int | None:
    """Return the block in which an inode's content most likely begins, None if that is not in the inode itself.

    Nothing of it is checked: it is good for expectations only.
    """
    if not inode.flags & EXTENTS:
        return int.from_bytes(inode.root[:4], "little") or None
    _, entries, _, depth = HEADER.unpack_from(inode.root)
    if depth or not entries:
        return None
    _, _, upper, lower = LEAF.unpack_from(inode.root, HEADER.size)
    return int(upper << 32 | lower)


def read_link(space: Space, inode: Inode) -> bytes:
    """Return the text of a symbolic link: Documentation/filesystems/ext4/, "Symbolic Links"."""
    owned = space.cluster_size // SECTOR if inode.attributes else 0
    if inode.sectors == owned:
        text, known = inode.root[: inode.size], inode.size < FAST_LINK
    else:
        text, known = read_content(space, inode, 0, space.block_size), inode.size < space.block_size
    if not known or not text or b"\0" in text:
        raise DeclinedError(f"ext: inode {inode.number} is no symbolic link as the kernel makes them")
    return text
