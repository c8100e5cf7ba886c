"""Inodes: Documentation/filesystems/ext4/inodes.rst, read as ext4_iget() of fs/ext4/inode.c reads them."""

import stat
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

from diskimage_validator.engines.base import Stat
from diskimage_validator.engines.direct.ext.checksum import MASK, crc32c, extend
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
FIELDS: Final = "<HHI8xi4xHH4xI64xI4xI8xHHHxx"
"""Mode, owner, size, mtime, group, links, flags, generation, upper half of size, those of owner and group, checksum:
the first 128 bytes."""
EXTRA_FIELDS: Final = "HH4xI"
"""After these: i_extra_isize, the upper half of the checksum, and more bits of mtime."""
NO_EXTRA: Final = (0, 0, 0)
CHECKSUMS: Final = (124, 125, 130, 131)
"""Where the bytes of the checksum are, which count as zeros in it."""
CHECKSUM_END: Final = 4
MTIME_END: Final = 12
"""What i_extra_isize is at least if there is an upper half of the checksum, or more of mtime."""
CONTENT: Final = struct.Struct("<28xII4x60sII8xHH8x")
"""Sectors, flags, i_block, generation, block of attributes, upper half of the first and of the last."""
PARTS: Final = 64
"""Windows that are kept in both forms: 8 MiB."""
AHEAD: Final = 3
"""Windows of a table that are on their way while one is read: a walk needs most of them, one after the other."""
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


new: Final = tuple.__new__
"""Makes a NamedTuple in half the time that calling its class takes."""


class Part(NamedTuple):
    """A window with inodes. ``summed`` is ``raw`` with zeros for all checksums, or empty if there are none."""

    raw: bytes
    summed: bytes


class Inodes:
    """The inodes of a file system by number. DeclinedError for those that the kernel would call corrupted."""

    def __init__(self, volume: Volume, superblock: Superblock, groups: Groups) -> None:
        self._volume = volume
        self._superblock = superblock
        self._per_group = superblock.inodes_per_group
        self._size = superblock.inode_size
        self._tables = groups.tables
        self._used = groups.used
        self._seed = superblock.seed
        self._extra_room = superblock.inode_size - BASE_SIZE
        self._fields = struct.Struct(FIELDS + EXTRA_FIELDS if self._extra_room else FIELDS)
        self._upper_sizes = "large_dir" in superblock.features
        self._parts: dict[int, Part] = {}

    def stats(self, numbers: Iterable[int]) -> list[Stat]:
        """Return what lstat(2) says of inodes that a directory names."""
        return self._stats(numbers, self._superblock.first_inode, ahead=AHEAD)

    def stat(self, number: int) -> Stat:
        """Return what lstat(2) says of one that a directory names, or of the root directory."""
        return self._stats([number], self._lowest(number))[0]

    def inode(self, number: int, *, reserved: bool = False, known: Stat | None = None) -> Inode:
        """Return one inode; one that no directory names, the journal's for instance, if it is ``reserved``.

        ``known`` is what ``stats`` said of it, and makes this cheaper.
        """
        found = known or self._stats([number], ROOT if reserved else self._lowest(number))[0]
        group, index = divmod(number - 1, self._per_group)
        at = self._tables[group] + index * self._size
        raw = self._part(at >> WINDOW_BITS).raw
        sectors, flags, root, generation, attributes, sectors_upper, attributes_upper = CONTENT.unpack_from(
            raw, at & (WINDOW - 1)
        )
        if "huge_file" in self._superblock.features:
            sectors |= sectors_upper << 32
            if flags & HUGE_FILE:
                sectors *= self._superblock.block_size // 512
        seed = None if self._seed is None else crc32c(self._seed, IDENTITY.pack(number, generation))
        return Inode(number, found.mode, found.size, flags, sectors, attributes | attributes_upper << 32, root, seed)

    def _lowest(self, number: int) -> int:
        return ROOT if number == ROOT else self._superblock.first_inode

    def _part(self, window: int) -> Part:
        """Return a window. The tables begin with a block, and an inode's size is a power of two: none is cut."""
        part = self._parts.get(window)
        if part is None:
            raw = self._volume.window(window)
            part = Part(raw, b"" if self._seed is None else self._without_checksums(raw))
            if len(self._parts) >= PARTS:
                del self._parts[next(iter(self._parts))]
            self._parts[window] = part
        return part

    def _without_checksums(self, raw: bytes) -> bytes:
        """Return a window with zeros for the checksum of every inode in it."""
        data, size = bytearray(raw), self._size
        for start in CHECKSUMS:
            if start < size:
                data[start::size] = bytes(len(range(start, len(data), size)))
        return bytes(data)

    def _stats(self, numbers: Iterable[int], first: int, *, ahead: int = 0) -> list[Stat]:
        """Return what inodes say, whose numbers have to be from ``first`` on. One loop: it is most of a walk's work.

        So many windows ``ahead`` of a new one are expected.
        """
        unpack, room, size_of_inode, seed = self._fields.unpack_from, self._extra_room, self._size, self._seed
        tables, used, per_group, last = self._tables, self._used, self._per_group, self._superblock.inodes
        found = []
        held, raw, summed = -1, b"", b""
        for number in numbers:
            group, index = divmod(number - 1, per_group)
            if not first <= number <= last or index >= used[group]:
                raise DeclinedError(f"ext: inode {number} is named, and cannot be in use")
            at = tables[group] + index * size_of_inode
            if at >> WINDOW_BITS != held:
                held = at >> WINDOW_BITS
                if ahead and held not in self._parts:
                    end = tables[group] + used[group] * size_of_inode - 1 >> WINDOW_BITS
                    self._volume.expect(range(held, min(held + ahead, end) + 1))
                raw, summed = self._part(held)
            at &= WINDOW - 1
            (
                mode, uid, size, mtime, gid, links, flags, generation, size_upper, uid_upper, gid_upper, checksum,
                extra, checksum_upper, mtime_upper,
            ) = unpack(raw, at) if room else unpack(raw, at) + NO_EXTRA  # fmt: skip
            if seed is not None:
                identity = IDENTITY.pack(number, generation)
                if extra >= CHECKSUM_END:
                    computed = extend(seed ^ MASK, identity + summed[at : at + size_of_inode]) ^ MASK
                    wrong = computed != checksum | checksum_upper << 16
                else:  # where the upper half would be is something else
                    lower, after = at + CHECKSUMS[0], at + CHECKSUMS[0] + 2
                    data = identity + raw[at:lower] + b"\0\0" + raw[after : at + size_of_inode]
                    wrong = crc32c(seed, data) & 0xFFFF != checksum
                if wrong:
                    raise DeclinedError(f"ext: the checksum of inode {number} is wrong")
            kind = mode & 0xF000
            if kind == stat.S_IFREG or self._upper_sizes:
                size |= size_upper << 32
            if mtime_upper & 3 and (extra >= MTIME_END or not extra):
                mtime += (mtime_upper & 3) << 32
            if kind not in KINDS or not links or flags & UNREADABLE or size >> 63:
                raise DeclinedError(f"ext: inode {number} is not in use, or of no kind that is read")
            if extra & 3 or extra > room:
                raise DeclinedError(f"ext: inode {number} has {extra} bytes of extra fields")
            found.append(new(Stat, (mode, uid | uid_upper << 16, gid | gid_upper << 16, size, mtime)))
        return found
