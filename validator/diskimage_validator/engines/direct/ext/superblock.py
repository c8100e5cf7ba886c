"""The superblock, and every reason in it not to read the file system.

Fields and their offsets: Documentation/filesystems/ext4/super.rst. Its checks are those of ext4_fill_super() and more:
what the kernel would repair or replay first is declined.
"""

import struct
from typing import Final, NamedTuple
from uuid import UUID

from diskimage_validator.engines.direct.ext.checksum import crc32c
from diskimage_validator.engines.direct.ext.features import READ, feature_names
from diskimage_validator.engines.direct.ext.volume import Volume
from diskimage_validator.errors import DeclinedError

OFFSET: Final = 1024
"""Where it is, in bytes."""
SIZE: Final = 1024
MAGIC: Final = 0xEF53
VALID: Final = 1
ERRORS: Final = 2
LINUX: Final = 0
CRC32C: Final = 1
MAX_BLOCK_SIZE: Final = 4096
"""Larger blocks are nothing that a kernel with pages of 4096 bytes could mount: there is no truth to compare with."""
MAX_DESCRIPTORS: Final = 8 << 20
"""Bytes of group descriptors: 16 TiB of blocks of 4096 bytes."""


class Superblock(NamedTuple):
    """What a reader needs. Sizes in bytes; ``blocks``, ``reserved_blocks`` and the like count blocks.

    ``seed`` is what checksums of metadata begin with, None without them.
    """

    label: str
    uuid: UUID
    features: tuple[str, ...]
    block_size: int
    blocks: int
    reserved_blocks: int
    first_data_block: int
    cluster_bits: int
    blocks_per_group: int
    inodes: int
    inodes_per_group: int
    inode_size: int
    first_inode: int
    descriptor_size: int
    reserved_descriptor_blocks: int
    first_meta_group: int
    backup_groups: tuple[int, int]
    journal_inode: int
    overhead_clusters: int
    seed: int | None

    @property
    def groups(self) -> int:
        """Number of block groups."""
        return -(-(self.blocks - self.first_data_block) // self.blocks_per_group)

    @property
    def descriptors_per_block(self) -> int:
        """Group descriptors in one block."""
        return self.block_size // self.descriptor_size

    @property
    def descriptor_blocks(self) -> int:
        """Blocks that all group descriptors need."""
        return -(-self.groups // self.descriptors_per_block)


def read_superblock(volume: Volume) -> Superblock:
    """Return the superblock of a file system in order. Raises DeclinedError with the reason for all others."""
    raw = volume.read(OFFSET, SIZE)
    if _u16(raw, 0x38) != MAGIC:
        raise DeclinedError("ext: no superblock")
    features = feature_names(_u32(raw, 0x5C), _u32(raw, 0x60), _u32(raw, 0x64))
    _check_state(raw, features)
    wide = "64bit" in features
    log_block_size = _u32(raw, 0x18)
    block_size = 1024 << min(log_block_size, 16)
    found = Superblock(
        label=raw[0x78:0x88].split(b"\0", 1)[0].decode("utf-8", "backslashreplace"),
        uuid=UUID(bytes=raw[0x68:0x78]),
        features=features,
        block_size=block_size,
        blocks=_u32(raw, 0x04) | (_u32(raw, 0x150) << 32 if wide else 0),
        reserved_blocks=_u32(raw, 0x08) | (_u32(raw, 0x154) << 32 if wide else 0),
        first_data_block=_u32(raw, 0x14),
        cluster_bits=_u32(raw, 0x1C) - log_block_size,
        blocks_per_group=_u32(raw, 0x20),
        inodes=_u32(raw, 0x00),
        inodes_per_group=_u32(raw, 0x28),
        inode_size=_u16(raw, 0x58),
        first_inode=_u32(raw, 0x54),
        descriptor_size=_u16(raw, 0xFE) if wide else 32,
        reserved_descriptor_blocks=_u16(raw, 0xCE),
        first_meta_group=_u32(raw, 0x104) if "meta_bg" in features else 0,
        backup_groups=(_u32(raw, 0x24C), _u32(raw, 0x250)),
        journal_inode=_u32(raw, 0xE0) if "has_journal" in features else 0,
        overhead_clusters=_u32(raw, 0x248),
        seed=_seed(raw, features),
    )
    _check_geometry(found, _u32(raw, 0x24), volume.size)
    return found


def _check_state(raw: bytes, features: tuple[str, ...]) -> None:
    """Raise DeclinedError for what has to be repaired or replayed, or has features that are not known here."""
    if unknown := [name for name in features if name not in READ]:
        raise DeclinedError(f"ext: feature {', '.join(unknown)}")
    state = _u16(raw, 0x3A)
    if state & ERRORS:
        raise DeclinedError("ext: the file system has errors", "e2fsck mends it")
    if not state & VALID:
        raise DeclinedError("ext: the file system was not unmounted in order")
    if _u32(raw, 0xE8):
        raise DeclinedError("ext: inodes that were deleted while in use are still to be cleaned up")
    if _u32(raw, 0x4C) != 1:
        raise DeclinedError("ext: not revision 1 of the format")
    if _u32(raw, 0x48) != LINUX:
        raise DeclinedError("ext: not made for Linux")
    if "has_journal" in features and not _u32(raw, 0xE0):
        raise DeclinedError("ext: the journal is on another device")


def _seed(raw: bytes, features: tuple[str, ...]) -> int | None:
    if "metadata_csum" not in features:
        return None
    if raw[0x175] != CRC32C or _u32(raw, 0x3FC) != crc32c(0xFFFFFFFF, raw[:0x3FC]):
        raise DeclinedError("ext: the superblock's checksum is wrong")
    return _u32(raw, 0x270) if "metadata_csum_seed" in features else crc32c(0xFFFFFFFF, raw[0x68:0x78])


def _check_geometry(found: Superblock, clusters_per_group: int, size: int) -> None:
    """Raise DeclinedError for numbers that contradict each other or what the volume has."""
    block_size, inode_size, descriptor = found.block_size, found.inode_size, found.descriptor_size
    bigalloc = "bigalloc" in found.features
    sound = (
        block_size <= MAX_BLOCK_SIZE
        and (0 <= found.cluster_bits <= 20 if bigalloc else found.cluster_bits == 0)
        and 0 < clusters_per_group <= 8 * block_size
        and found.blocks_per_group == clusters_per_group << found.cluster_bits
        and found.first_data_block == (1 if block_size == 1024 and not bigalloc else 0)
        and 128 <= inode_size <= block_size
        and inode_size & (inode_size - 1) == 0
        and (64 if "64bit" in found.features else 32) <= descriptor <= block_size
        and descriptor & (descriptor - 1) == 0
        and 0 < found.inodes_per_group <= 8 * block_size
        and found.inodes_per_group % (block_size // inode_size) == 0
        and found.blocks > found.first_data_block
        and found.first_inode >= 11
        and found.reserved_blocks <= found.blocks
    )
    if not sound or found.inodes != found.groups * found.inodes_per_group:
        raise DeclinedError("ext: the superblock contradicts itself, or its blocks are larger than 4096 bytes")
    if found.blocks * block_size > size:
        raise DeclinedError(f"ext: {found.blocks} blocks of {block_size} bytes do not fit on a volume of {size} bytes")
    if found.descriptor_blocks * block_size > MAX_DESCRIPTORS:
        raise DeclinedError("ext: more block groups than are read")
    if found.first_meta_group > found.descriptor_blocks:
        raise DeclinedError("ext: the superblock contradicts itself")


def _u16(raw: bytes, offset: int) -> int:
    value: int = struct.unpack_from("<H", raw, offset)[0]
    return value


def _u32(raw: bytes, offset: int) -> int:
    value: int = struct.unpack_from("<I", raw, offset)[0]
    return value
