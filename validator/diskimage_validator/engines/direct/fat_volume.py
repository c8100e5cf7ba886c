"""The layout of a FAT file system: boot sector, allocation table, chains of clusters.

Source: Microsoft's "FAT: General Overview of On-Disk Format" and the kernel's fs/fat/inode.c, whose reading of doubtful
numbers decides here. Anything unusual is declined.
"""

import struct
import sys
from array import array
from typing import Final

from diskimage_validator.engines.direct.blocks import Read
from diskimage_validator.errors import DeclinedError
from diskimage_validator.frozen import dataclass

MAX_FAT12: Final = 0xFF4
MAX_FAT16: Final = 0xFFF4
MAX_TABLE: Final = 8 * 1024 * 1024
"""Bytes of an allocation table: FAT32 with two million clusters."""
FIRST_CLUSTER: Final = 2
ENTRY: Final = 32
"""Bytes of an entry of a directory."""
FSINFO: Final = ((0, b"RRaA"), (484, b"rrAa"))


@dataclass(frozen=True)
class FatVolume:
    """An opened FAT file system. Places and sizes in bytes; ``bits`` is 12, 16 or 32.

    ``root_entries`` is the size of FAT12's and FAT16's root directory, at ``root_start``; FAT32 has its root in the
    chain that begins with the cluster ``root_cluster``. ``clusters`` is how many there are; ``table`` the entries.
    """

    read: Read
    bits: int
    sector: int
    cluster_size: int
    clusters: int
    data_start: int
    root_start: int
    root_entries: int
    root_cluster: int
    serial: bytes
    table: "array[int]"

    @property
    def free_clusters(self) -> int:
        """How many clusters are not used."""
        return self.table[FIRST_CLUSTER : FIRST_CLUSTER + self.clusters].count(0)

    def chain(self, first: int) -> list[int]:
        """Return the clusters of a file or directory. Raises DeclinedError for a chain that does not end in order."""
        end = {12: 0xFF8, 16: 0xFFF8, 32: 0x0FFFFFF8}[self.bits]
        found: list[int] = []
        seen: set[int] = set()
        cluster = first
        while cluster < end:
            if not FIRST_CLUSTER <= cluster < FIRST_CLUSTER + self.clusters or cluster in seen:
                raise DeclinedError("FAT: a chain of clusters leads nowhere or to itself")
            found.append(cluster)
            seen.add(cluster)
            cluster = self.table[cluster]
        return found

    def read_clusters(self, clusters: list[int]) -> bytes:
        """Return the content of ``clusters``."""
        size = self.cluster_size
        return b"".join(self.read(self.data_start + (number - FIRST_CLUSTER) * size, size) for number in clusters)


def open_fat(read: Read, size: int) -> FatVolume:
    """Return the FAT file system in ``size`` bytes. Raises DeclinedError for what is not beyond doubt."""
    boot = read(0, 512)
    sector, per_cluster, reserved, tables, root_entries, sectors = struct.unpack_from("<HBHBHH", boot, 11)
    media, fat_sectors = struct.unpack_from("<BH", boot, 21)
    (sectors32,) = struct.unpack_from("<I", boot, 32)
    fat32 = fat_sectors == 0
    flags = root_cluster = 0
    if fat32:
        fat_sectors, flags, version, root_cluster, info = struct.unpack_from("<IHHIH", boot, 36)
        if root_entries or version or flags & 0x80 or not _has_info(read(info * sector, sector)):
            raise DeclinedError("an unusual FAT32")
    sectors = sectors or sectors32
    if sector not in (512, 4096) or not per_cluster or per_cluster & (per_cluster - 1) or per_cluster * sector > 65536:
        raise DeclinedError(f"FAT: {per_cluster} sectors of {sector} bytes in a cluster")
    if not reserved or tables not in (1, 2) or media < 0xF8 or not fat_sectors or root_entries % (sector // ENTRY):
        raise DeclinedError("an unusual FAT")
    root_start = (reserved + tables * fat_sectors) * sector
    data_start = root_start + root_entries * ENTRY
    if sectors * sector > size or data_start >= sectors * sector or fat_sectors * sector > MAX_TABLE:
        raise DeclinedError("FAT: the sizes in the boot sector make no sense")
    clusters = (sectors * sector - data_start) // (per_cluster * sector)
    bits = 32 if fat32 else 16 if clusters > MAX_FAT12 else 12
    clusters = min(clusters, fat_sectors * sector * 8 // bits - FIRST_CLUSTER)
    if not fat32 and (clusters > MAX_FAT16 or not root_entries):
        raise DeclinedError(f"FAT{bits} with {clusters} clusters")
    return FatVolume(
        read=read,
        bits=bits,
        sector=sector,
        cluster_size=per_cluster * sector,
        clusters=clusters,
        data_start=data_start,
        root_start=root_start,
        root_entries=root_entries * ENTRY,
        root_cluster=root_cluster,
        serial=boot[67:71] if fat32 else boot[39:43],
        table=_entries(read(reserved * sector, fat_sectors * sector), bits),
    )


def _has_info(sector: bytes) -> bool:
    """Whether FAT32's second sector is what libblkid wants it to be: marked so, or empty."""
    return all(sector[offset : offset + 4] in (magic, bytes(4)) for offset, magic in FSINFO)


def _entries(table: bytes, bits: int) -> "array[int]":
    if bits == 12:
        numbers = array("I")
        for start in range(0, len(table) // 3 * 3, 3):
            three = int.from_bytes(table[start : start + 3], "little")
            numbers.extend((three & 0xFFF, three >> 12))
        return numbers
    numbers = array("H" if bits == 16 else "I", table)
    if sys.byteorder == "big":
        numbers.byteswap()
    if bits == 32 and max(numbers) > 0x0FFFFFFF:  # four bits that nobody may look at
        return array("I", (number & 0x0FFFFFFF for number in numbers))
    return numbers
