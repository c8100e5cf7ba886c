"""The GUID Partition Table. Source: UEFI specification, chapter 5.3, and the kernel's block/partitions/efi.c."""

import struct
import uuid
import zlib
from typing import Final

from diskimage_validator.engines.base import Partition
from diskimage_validator.engines.direct.blocks import Read
from diskimage_validator.engines.direct.slot import GPT_SIGNATURE, SECTOR, Slot, device_of
from diskimage_validator.errors import DeclinedError
from diskimage_validator.frozen import dataclass

HEADER: Final = struct.Struct("<8s4sIII QQQQ 16s QIII")
ENTRY_SIZE: Final = 128
"""Bytes of an entry. The specification knows larger ones, which the kernel does not read."""
MAX_ENTRIES: Final = 1024
UNUSED: Final = bytes(16)
REVISION: Final = b"\0\0\1\0"
HIDDEN: Final = frozenset(
    {
        "5808C8AA-7E8F-42E0-85D2-E1E90434CFB3",
        "AF9B60A0-1431-4F62-BC68-3311714A69AD",
        "E3C9E316-0B5C-4DB8-817D-F92DF00215AE",
    }
)
"""Microsoft's LDM and reserved partitions, where libguestfs looks for no file system."""


@dataclass(frozen=True)
class Header:
    """What a header says; all in sectors but ``entries``, their number, and ``entries_crc``."""

    here: int
    other: int
    first: int
    last: int
    disk: bytes
    table: int
    entries: int
    entries_crc: int


def read_gpt(read: Read, size: int, sector: int = SECTOR) -> list[Slot]:
    """Return the partitions, in any order, of a disk whose sectors have ``sector`` bytes.

    Both headers and both copies of the entries have to be there, right, and the same. Where they are not, a kernel and
    a partitioning tool do not agree what the disk looks like: DeclinedError.
    """
    sectors = size // sector
    primary = _header(read, 1, sector)
    if primary.other != sectors - 1:
        raise DeclinedError("the backup of the GPT is not at the end of the disk")
    backup = _header(read, primary.other, sector)
    same = (primary.first, primary.last, primary.disk, primary.entries, primary.entries_crc)
    if backup.other != 1 or same != (backup.first, backup.last, backup.disk, backup.entries, backup.entries_crc):
        raise DeclinedError("the GPT and its backup contradict each other")
    if not primary.first <= primary.last < sectors:
        raise DeclinedError("the GPT leaves no room for partitions")
    table = _entries(read, primary, sector)
    _entries(read, backup, sector)
    entries = (table[start : start + ENTRY_SIZE] for start in range(0, len(table), ENTRY_SIZE))
    return [
        _slot(number, entry, primary, sector) for number, entry in enumerate(entries, start=1) if entry[:16] != UNUSED
    ]


def _header(read: Read, number: int, sector: int) -> Header:
    data = read(number * sector, SECTOR)
    signature, revision, length, crc, zero, *numbers = HEADER.unpack_from(data)
    here, other, first, last, disk, table, entries, entry_size, entries_crc = numbers
    if signature != GPT_SIGNATURE or revision != REVISION or not HEADER.size <= length <= SECTOR or zero:
        raise DeclinedError("the GPT or its backup is damaged: no header")
    if zlib.crc32(data[:16] + bytes(4) + data[20:length]) != crc or here != number:
        raise DeclinedError("the GPT or its backup is damaged: the checksum of the header is wrong")
    if entry_size != ENTRY_SIZE or not 0 < entries <= MAX_ENTRIES:
        raise DeclinedError(f"a GPT with {entries} entries of {entry_size} bytes")
    return Header(here, other, first, last, disk, table, entries, entries_crc)


def _entries(read: Read, header: Header, sector: int) -> bytes:
    table = read(header.table * sector, header.entries * ENTRY_SIZE)
    if zlib.crc32(table) != header.entries_crc:
        raise DeclinedError("the GPT or its backup is damaged: the checksum of the entries is wrong")
    return table


def _slot(number: int, entry: bytes, header: Header, sector: int) -> Slot:
    start, end = struct.unpack_from("<QQ", entry, 32)
    if not header.first <= start <= end <= header.last:
        raise DeclinedError(f"{device_of(number)} is outside of the room that the GPT has for partitions")
    kind = _guid(entry[:16]).upper()
    name = entry[56:ENTRY_SIZE].decode("utf-16-le", errors="replace").partition("\0")[0]
    partition = Partition(device_of(number), number, start * sector, (end - start + 1) * sector, kind)
    return Slot(partition, uuid=_guid(entry[16:32]), name=name, container=kind in HIDDEN)


def _guid(data: bytes) -> str:
    return str(uuid.UUID(bytes_le=data))
