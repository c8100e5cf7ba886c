"""Inodes: Documentation/filesystems/ext4/inodes.rst, read as ext4_iget() of fs/ext4/inode.c reads them."""

import stat
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

from diskimage_validator.engines.base import Stat
from diskimage_validator.engines.direct.ext.checksum import crc32c
from diskimage_validator.engines.direct.ext.groups import Groups
from diskimage_validator.engines.direct.ext.superblock import Superblock
from diskimage_validator.engines.direct.ext.volume import WINDOW, WINDOW_BITS, Volume
from diskimage_validator.errors import DeclinedError

ROOT: Final = 2
EXTENTS: Final = 0x00080000
HUGE_FILE: Final = 0x00040000
UNREADABLE: Final = 0x00000800 | 0x00200000 | 0x10000000 | 0x40000000
"""Encrypted; the value of an attribute; content within the inode; folded case: of features that are not read here."""
KINDS: Final = frozenset(
    {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK}
)
BASE_SIZE: Final = 128
"""Bytes of an inode of ext2. Larger ones say how many bytes more have fields: i_extra_isize."""
FIELDS: Final = struct.Struct("<HHI8xi4xHH4xI64xI4xI8xHHHxxHH4xI")
"""Mode, owner, size, mtime, group, links, flags, generation, upper half of size, those of owner and group, checksum;
and after the first 128 bytes i_extra_isize, the upper half of the checksum, and more bits of mtime."""
CHECKSUM_END: Final = 4
MTIME_END: Final = 12
"""What i_extra_isize is at least if there is an upper half of the checksum, or more of mtime."""
CONTENT: Final = struct.Struct("<28xII4x60sII8xHH8x")
"""Sectors, flags, i_block, generation, block of attributes, upper half of the first and of the last."""
IDENTITY: Final = struct.Struct("<II")
"""Number and generation: where the checksums of an inode and of its blocks begin."""


class Inode(NamedTuple):
    """What is needed to read content. ``root`` is i_block; ``seed`` what checksums of blocks begin with, or None.

    ``sectors`` is i_blocks in units of 512 bytes, ``attributes`` the block of extended attributes, 0 if there is none.
    """

    number: int
    mode: int
    size: int
    flags: int
    sectors: int
    attributes: int
    root: bytes
    seed: int | None


class Inodes:
    """The inodes of a file system by number. DeclinedError for those that the kernel would call corrupted."""

    def __init__(self, volume: Volume, superblock: Superblock, groups: Groups) -> None:
        self._window_of = volume.window
        self._superblock = superblock
        self._per_group = superblock.inodes_per_group
        self._size = superblock.inode_size
        self._tables = groups.tables
        self._used = groups.used
        self._seed = superblock.seed
        self._extra_room = superblock.inode_size - BASE_SIZE
        self._missing = b"" if self._extra_room else bytes(FIELDS.size - BASE_SIZE)
        self._upper_sizes = "large_dir" in superblock.features
        self._held = -1
        self._window = b""

    def stats(self, numbers: Iterable[int]) -> list[Stat]:
        """Return what lstat(2) says of inodes that a directory names."""
        first = self._superblock.first_inode
        return [self._stat(number, self._raw(number, first)) for number in numbers]

    def stat(self, number: int) -> Stat:
        """Return what lstat(2) says of one that a directory names, or of the root directory."""
        return self._stat(number, self._raw(number, self._lowest(number)))

    def inode(self, number: int, *, reserved: bool = False) -> Inode:
        """Return one inode; one that no directory names, the journal's for instance, if it is ``reserved``."""
        raw = self._raw(number, ROOT if reserved else self._lowest(number))
        found = self._stat(number, raw)
        sectors, flags, root, generation, attributes, sectors_upper, attributes_upper = CONTENT.unpack_from(raw)
        if "huge_file" in self._superblock.features:
            sectors |= sectors_upper << 32
            if flags & HUGE_FILE:
                sectors *= self._superblock.block_size // 512
        seed = None if self._seed is None else crc32c(self._seed, IDENTITY.pack(number, generation))
        return Inode(number, found.mode, found.size, flags, sectors, attributes | attributes_upper << 32, root, seed)

    def _lowest(self, number: int) -> int:
        return ROOT if number == ROOT else self._superblock.first_inode

    def _raw(self, number: int, first: int) -> bytes:
        """Return the bytes of an inode, if its number is one from ``first`` on that may be in use."""
        group, index = divmod(number - 1, self._per_group)
        if not first <= number <= self._superblock.inodes or index >= self._used[group]:
            raise DeclinedError(f"ext: inode {number} is named, and cannot be in use")
        offset = self._tables[group] + index * self._size
        if offset >> WINDOW_BITS != self._held:
            self._window = self._window_of(offset >> WINDOW_BITS)
            self._held = offset >> WINDOW_BITS
        offset &= WINDOW - 1
        return self._window[offset : offset + self._size]

    def _stat(self, number: int, raw: bytes) -> Stat:
        """Return what an inode says, if all of it can be."""
        (
            mode, uid, size, mtime, gid, links, flags, generation, size_upper, uid_upper, gid_upper, checksum,
            extra, checksum_upper, mtime_upper,
        ) = FIELDS.unpack_from(raw + self._missing)  # fmt: skip
        if self._seed is not None:
            summed = IDENTITY.pack(number, generation) + raw[:124] + b"\0\0" + raw[126:130]
            if extra >= CHECKSUM_END:
                wrong = crc32c(self._seed, summed + b"\0\0" + raw[132:]) != checksum | checksum_upper << 16
            else:
                wrong = crc32c(self._seed, summed + raw[130:]) & 0xFFFF != checksum
            if wrong:
                raise DeclinedError(f"ext: the checksum of inode {number} is wrong")
        kind = mode & 0xF000
        if kind == stat.S_IFREG or self._upper_sizes:
            size |= size_upper << 32
        if mtime_upper & 3 and (extra >= MTIME_END or not extra):
            mtime += (mtime_upper & 3) << 32
        if kind not in KINDS or not links or flags & UNREADABLE or size >> 63:
            raise DeclinedError(f"ext: inode {number} is not in use, or of no kind that is read")
        if extra & 3 or extra > self._extra_room:
            raise DeclinedError(f"ext: inode {number} has {extra} bytes of extra fields")
        return Stat(mode, uid | uid_upper << 16, gid | gid_upper << 16, size, mtime)
