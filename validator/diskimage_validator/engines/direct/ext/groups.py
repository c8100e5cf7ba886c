"""Block groups: where the inode tables are, how much of them is in use, and what is free.

Documentation/filesystems/ext4/group_descr.rst; where the descriptors are with ``meta_bg``: descriptor_loc() of
fs/ext4/super.c.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from diskimage_validator.engines.direct.ext.checksum import crc16, crc32c
from diskimage_validator.engines.direct.ext.superblock import OFFSET, Superblock
from diskimage_validator.engines.direct.ext.volume import Volume
from diskimage_validator.errors import DeclinedError

NARROW: Final = struct.Struct("<8xIHH2xH8xHH")
"""Inode table, free blocks, free inodes, flags, unused inodes, checksum."""
WIDE: Final = struct.Struct("<40xIHH2xH12x")
"""The upper halves of the first three and of the unused inodes, with ``64bit``."""
INODE_UNINIT: Final = 1
CHECKSUM: Final = slice(0x1E, 0x20)


class Groups(NamedTuple):
    """``tables`` has the offset in bytes of each group's inode table, ``used`` how many of its inodes may be in use."""

    tables: tuple[int, ...]
    used: tuple[int, ...]
    free_clusters: int
    free_inodes: int


def read_groups(volume: Volume, superblock: Superblock) -> Groups:
    """Return what the descriptors of all groups say. Raises DeclinedError if that cannot be."""
    tables, used = [], []
    free_clusters = free_inodes = 0
    summed = "metadata_csum" in superblock.features or "uninit_bg" in superblock.features
    per_group = superblock.inodes_per_group
    last_table = superblock.blocks - per_group * superblock.inode_size // superblock.block_size
    for number, raw in enumerate(_descriptors(volume, superblock)):
        table, clusters, inodes, flags, unused, checksum = NARROW.unpack_from(raw)
        if len(raw) >= 64:
            high = WIDE.unpack_from(raw)
            table, clusters, inodes, unused = (
                low | part << bits
                for low, part, bits in zip((table, clusters, inodes, unused), high, (32, 16, 16, 16), strict=True)
            )
        if summed and checksum != _checksum(superblock, number, raw):
            raise DeclinedError(f"ext: the checksum of block group {number} is wrong")
        if not superblock.first_data_block < table <= last_table or max(inodes, unused) > per_group:
            raise DeclinedError(f"ext: the descriptor of block group {number} contradicts the superblock")
        if not summed:
            unused = 0
        tables.append(table * superblock.block_size)
        used.append(0 if summed and flags & INODE_UNINIT else per_group - unused)
        free_clusters += clusters
        free_inodes += inodes
    return Groups(tuple(tables), tuple(used), free_clusters, free_inodes)


def has_superblock(superblock: Superblock, group: int) -> bool:
    """Whether a group begins with a copy of the superblock, or the superblock itself: ext4_bg_has_super()."""
    if group == 0:
        return True
    if "sparse_super2" in superblock.features:
        return group in superblock.backup_groups
    if group == 1 or "sparse_super" not in superblock.features:
        return True
    return group & 1 == 1 and any(_is_power(group, base) for base in (3, 5, 7))


def _is_power(number: int, base: int) -> bool:
    while number % base == 0:
        number //= base
    return number == 1


def _descriptors(volume: Volume, superblock: Superblock) -> Iterator[bytes]:
    """Yield the descriptors of all groups, in order."""
    block_size, size, left = superblock.block_size, superblock.descriptor_size, superblock.groups
    for number in range(superblock.descriptor_blocks):
        raw = volume.read(_place(superblock, number) * block_size, block_size)
        here = min(left, superblock.descriptors_per_block)
        yield from (raw[at : at + size] for at in range(0, here * size, size))
        left -= here


def _place(superblock: Superblock, number: int) -> int:
    """Return the block in which the descriptor block ``number`` is."""
    if "meta_bg" not in superblock.features or number < superblock.first_meta_group:
        return OFFSET // superblock.block_size + 1 + number
    group = number * superblock.descriptors_per_block
    place = superblock.first_data_block + group * superblock.blocks_per_group + has_superblock(superblock, group)
    # With bigalloc the first group begins with block 0 even where the superblock is in block 1.
    return place + 1 if place * superblock.block_size == OFFSET else place


def _checksum(superblock: Superblock, number: int, raw: bytes) -> int:
    """Return what the checksum of a descriptor has to be: ext4_group_desc_csum()."""
    place = struct.pack("<I", number)
    if superblock.seed is not None:
        return crc32c(superblock.seed, place + raw[: CHECKSUM.start] + b"\0\0" + raw[CHECKSUM.stop :]) & 0xFFFF
    return crc16(superblock.uuid.bytes + place + raw[: CHECKSUM.start] + raw[CHECKSUM.stop :])
