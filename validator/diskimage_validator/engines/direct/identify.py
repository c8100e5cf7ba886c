"""What is on a partition, by the magic numbers that libblkid knows it by, in libblkid's words.

A partition with the marks of two kinds is declined, as libblkid does; so are all kinds that are known by name only:
they may hold a root, and nothing here can look. Source: the probes in util-linux, libblkid/src/superblocks.
"""

import re
import struct
from typing import Final

from diskimage_validator.engines.direct.blocks import Read
from diskimage_validator.errors import DeclinedError

EXT: Final = "ext"
VFAT: Final = "vfat"
SWAP: Final = "swap"
LVM: Final = "LVM2_member"
UNKNOWN: Final = "unknown"
HEAD: Final = 72 * 1024
"""Bytes from the beginning that are looked at. The last mark there is btrfs', 64 KiB and some bytes in."""

EXT_MAGIC: Final = (1024 + 0x38, b"\x53\xef")
_MD: Final = b"\xfc\x4e\x2b\xa9"
_PAGES: Final = (4096, 8192, 16384, 32768, 65536)
MARKS: Final[tuple[tuple[str, int, bytes], ...]] = (
    (EXT, *EXT_MAGIC),
    *((SWAP, page - 10, magic) for page in _PAGES for magic in (b"SWAPSPACE2", b"SWAP-SPACE")),
    *((LVM, sector * 512, b"LABELONE") for sector in range(4)),
    ("LVM1_member", 0, b"HM\1\0"),
    ("LVM1_member", 0, b"HM\2\0"),
    ("xfs", 0, b"XFSB"),
    ("btrfs", 65536 + 64, b"_BHRfS_M"),
    ("crypto_LUKS", 0, b"LUKS\xba\xbe"),
    ("linux_raid_member", 0, _MD),
    ("linux_raid_member", 4096, _MD),
    ("BitLocker", 3, b"-FVE-FS-"),
    ("ntfs", 3, b"NTFS    "),
    ("exfat", 3, b"EXFAT   "),
    ("iso9660", 32769, b"CD001"),
    ("udf", 32769, b"BEA01"),
    ("udf", 32769, b"NSR0"),
    ("squashfs", 0, b"hsqs"),
    ("squashfs", 0, b"sqsh"),
    ("erofs", 1024, b"\xe2\xe1\xf5\xe0"),
    ("f2fs", 1024, b"\x10\x20\xf5\xf2"),
    ("jfs", 32768, b"JFS1"),
    ("reiserfs", 8192 + 0x34, b"ReIsEr"),
    ("reiserfs", 65536 + 0x34, b"ReIsEr"),
    ("reiser4", 65536, b"ReIsEr4"),
    ("nilfs2", 1024 + 6, b"\x34\x34"),
    ("bcache", 4096 + 24, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca"),
    ("bcache", 4096 + 24, b"\xc6\x85\x73\xf6\x66\xce\x90\xa9"),
    ("hfsplus", 1024, b"H+"),
    ("hfsplus", 1024, b"HX"),
    ("hfs", 1024, b"BD"),
    ("gfs2", 65536, b"\x01\x16\x19\x70"),
    *(("ocfs2", block, b"OCFSV2") for block in (1024, 2048, 4096, 8192)),
    ("romfs", 0, b"-rom1fs-"),
    ("cramfs", 0, b"\x45\x3d\xcd\x28"),
    ("cramfs", 0, b"\x28\xcd\x3d\x45"),
    ("stratis", 512 + 4, b"!Stra0tis\x86\xff\x02^\x41rh"),
    ("vdo", 0, b"dmvdo001"),
    ("apfs", 32, b"NXSB"),
    ("DM_integrity", 0, b"integrt\0"),
    ("DM_verity_hash", 0, b"verity\0\0"),
)
"""Kind, offset and bytes. More than one mark may be one of the same kind."""
_FAT: Final = re.compile(rb"FAT(12|16|32)?   ?|MSDOS")

READ_KINDS: Final = frozenset({EXT, VFAT, SWAP, LVM, UNKNOWN})


def identify(read: Read, size: int, device: str) -> str:
    """Return EXT, VFAT, SWAP, LVM or UNKNOWN for what is on ``device``, of ``size`` bytes.

    Raises DeclinedError if it is something else that is known, or may be two things.
    """
    head = read(0, min(size, HEAD))
    kinds = {kind for kind, offset, magic in MARKS if head[offset : offset + len(magic)] == magic}
    if _is_fat(head):
        kinds.add(VFAT)
    if _is_raid(read, size):
        kinds.add("linux_raid_member")
    if len(kinds) > 1:
        raise DeclinedError(f"{device} has the marks of several things: {', '.join(sorted(kinds))}")
    kind = kinds.pop() if kinds else UNKNOWN
    if kind not in READ_KINDS:
        raise DeclinedError(f"{device} holds {kind}, which this engine does not read")
    return kind


def _is_fat(head: bytes) -> bool:
    return head[510:512] == b"\x55\xaa" and bool(_FAT.match(head, 0x36) or _FAT.match(head, 0x52))


def _is_raid(read: Read, size: int) -> bool:
    """Whether a superblock of Linux' RAID is at the end: version 1.0 or 0.90, the latter in either byte order."""
    places = ((size // 512 - 16) // 8 * 8 * 512, (size & ~0xFFFF) - 0x10000)
    return any(place > 0 and bytes(read(place, 4)) in (_MD, _MD[::-1]) for place in places)


_UNSUPPORTED_BY_EXT3: Final = (~0x7, ~(0x2 | 0x4 | 0x10))
_UNSUPPORTED_BY_EXT2: Final = (~0x7, ~(0x2 | 0x10))
"""Bits of s_feature_ro_compat and s_feature_incompat that a driver would not know: sparse_super, large_file, btree_dir;
filetype, recover, meta_bg."""
_HAS_JOURNAL: Final = 0x4
_JOURNAL_DEVICE: Final = 0x8
_TEST_FILESYSTEM: Final = 0x4


def ext_type(read: Read, device: str) -> str:
    """Return ``ext2``, ``ext3`` or ``ext4``, as libblkid tells them apart: by the oldest driver that would do."""
    superblock = read(1024, 1024)
    compat, incompat, ro_compat = struct.unpack_from("<III", superblock, 0x5C)
    (flags,) = struct.unpack_from("<I", superblock, 0x160)
    if incompat & _JOURNAL_DEVICE or flags & _TEST_FILESYSTEM:
        raise DeclinedError(f"{device} is the journal of another file system, or an experimental ext4")
    unknown_ro, unknown = _UNSUPPORTED_BY_EXT3
    if ro_compat & unknown_ro or incompat & unknown:
        return "ext4"
    if compat & _HAS_JOURNAL:
        return "ext3"
    unknown_ro, unknown = _UNSUPPORTED_BY_EXT2
    if ro_compat & unknown_ro or incompat & unknown:
        raise DeclinedError(f"{device} needs recovery and has no journal")
    return "ext2"
