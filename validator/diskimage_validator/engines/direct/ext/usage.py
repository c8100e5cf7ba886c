"""What statvfs(3) says of the file system once it is mounted: ext4_statfs() of fs/ext4/super.c."""

from typing import Final, NamedTuple

from diskimage_validator.engines.direct.ext.groups import Groups, has_superblock
from diskimage_validator.engines.direct.ext.superblock import Superblock
from diskimage_validator.errors import DeclinedError

RESERVED_SHARE: Final = 50
RESERVED_CLUSTERS: Final = 4096
"""What the kernel keeps back for itself: 2 % or 4096 clusters, whichever is less. ext4_set_resv_clusters()."""


class ExtInfo(NamedTuple):
    """What ``engines.base.Filesystem`` says, in the same units. ``uuid`` is empty if it is all zero."""

    label: str
    uuid: str
    block_size: int
    features: tuple[str, ...]
    clean: bool
    size: int
    free: int
    inodes: int
    free_inodes: int


def describe(superblock: Superblock, groups: Groups, journal_blocks: int) -> ExtInfo:
    """Return what is to be said of a file system whose journal has ``journal_blocks`` blocks."""
    bits, block_size = superblock.cluster_bits, superblock.block_size
    overhead = _overhead(superblock) + (journal_blocks >> bits)
    if "bigalloc" in superblock.features:
        overhead = superblock.overhead_clusters
        if not 0 < overhead <= superblock.blocks:
            raise DeclinedError("ext: bigalloc, and mke2fs did not say how many clusters it used")
    kept_back = min((superblock.blocks >> bits) // RESERVED_SHARE, RESERVED_CLUSTERS)
    if "extent" not in superblock.features:
        kept_back = 0
    size = superblock.blocks - (overhead << bits)
    free = groups.free_clusters << bits
    if size < 0 or free > superblock.blocks or groups.free_inodes > superblock.inodes:
        raise DeclinedError("ext: more is free or used for metadata than there is")
    return ExtInfo(
        label=superblock.label,
        uuid=str(superblock.uuid) if superblock.uuid.int else "",
        block_size=block_size,
        features=superblock.features,
        clean=True,  # all others are declined
        size=size * block_size,
        free=max(free - superblock.reserved_blocks - (kept_back << bits), 0) * block_size,
        inodes=superblock.inodes,
        free_inodes=groups.free_inodes,
    )


def _overhead(superblock: Superblock) -> int:
    """Return the blocks of metadata without the journal's: count_overhead() for a file system without bigalloc."""
    tables = superblock.inodes_per_group * superblock.inode_size // superblock.block_size
    bitmaps = 2
    blocks = superblock.first_data_block + superblock.groups * (tables + bitmaps)
    for group in range(superblock.groups):
        copy = has_superblock(superblock, group)
        blocks += copy + _descriptor_blocks(superblock, group, copy)
        blocks += superblock.reserved_descriptor_blocks if copy else 0
    return blocks


def _descriptor_blocks(superblock: Superblock, group: int, copy: bool) -> int:
    """Return how many blocks of group descriptors a group has: ext4_bg_num_gdb()."""
    if "meta_bg" not in superblock.features:
        return superblock.descriptor_blocks if copy else 0
    per_block = superblock.descriptors_per_block
    if group // per_block < superblock.first_meta_group:
        return superblock.first_meta_group if copy else 0
    return int(group % per_block in (0, 1, per_block - 1))
