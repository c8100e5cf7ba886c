"""The partition table in a Master Boot Record, with the chain of logical partitions.

Source: the kernel's block/partitions/msdos.c. There, a logical partition is described by a sector before it (EBR): the
first entry is the partition, counted from this sector; the second leads to the next EBR, counted from the beginning of
the extended partition.
"""

import struct
from typing import Final

from diskimage_validator.engines.base import Partition
from diskimage_validator.engines.direct.blocks import Read
from diskimage_validator.engines.direct.slot import BOOT_SIGNATURE, SECTOR, Slot, device_of
from diskimage_validator.errors import DeclinedError

ENTRIES: Final = 446
DISK_ID: Final = 440
FIRST_LOGICAL: Final = 5
MAX_LOGICAL: Final = 60
EXTENDED: Final = (0x05, 0x0F, 0x85)
PROTECTIVE: Final = 0xEE
SPECIAL: Final = frozenset({0x42, 0x63, 0x81, 0xA5, 0xA6, 0xA9, 0xBF, 0xEE})
"""Types whose content the kernel takes for a table of its own (BSD, Minix, UnixWare, Solaris), or libguestfs leaves out
(LDM); and a protective entry that is not the only one."""
FAT: Final = ((0x36, b"FAT"), (0x52, b"FAT32"), (3, b"NTFS"), (3, b"EXFAT"), (3, b"MSDOS"), (3, b"mkfs.fat"))

Entry = tuple[int, int, int, int]
"""Boot indicator, type, start and size in sectors."""


def is_protective(sector: bytes) -> bool:
    """Whether the MBR is nothing but the protective one of a GPT."""
    used = [entry for entry in _entries(sector) if any(entry)]
    return len(used) == 1 and used[0][1] == PROTECTIVE and used[0][2] == 1


def read_mbr(read: Read) -> list[Slot]:
    """Return the partitions, in any order. Raises DeclinedError for what is not beyond doubt."""
    sector = read(0, SECTOR)
    if any(sector[offset : offset + len(text)] == text for offset, text in FAT):
        raise DeclinedError("the first sector may be an MBR as well as a file system")
    (disk_id,) = struct.unpack_from("<I", sector, DISK_ID)
    slots: list[Slot] = []
    for number, entry in enumerate(_entries(sector), start=1):
        if any(entry):
            slots.append(_slot(number, entry, 0, disk_id))
    extended = [slot for slot in slots if slot.container]
    if len(extended) > 1:
        raise DeclinedError("two extended partitions")
    for slot in extended:
        slots += _logical(read, slot.partition, disk_id)
    return slots


def _logical(read: Read, extended: Partition, disk_id: int) -> list[Slot]:
    """Follow the chain. Each link has to lead forwards, so that it ends."""
    base, limit = extended.start // SECTOR, (extended.start + extended.size) // SECTOR
    found: list[Slot] = []
    here = base
    for number in range(FIRST_LOGICAL, FIRST_LOGICAL + MAX_LOGICAL):
        sector = read(here * SECTOR, SECTOR)
        if sector[510:512] != BOOT_SIGNATURE:
            raise DeclinedError("an extended partition without a table in it")
        first, second, *rest = _entries(sector)
        if any(any(entry) for entry in rest):
            raise DeclinedError(f"the table of the logical partition {number} has more than two entries")
        if any(first):
            slot = _slot(number, first, here, disk_id)
            if slot.container or slot.partition.start <= here * SECTOR:
                raise DeclinedError(f"the table of the logical partition {number} is damaged")
            found.append(slot)
        elif found or any(second):
            raise DeclinedError(f"the table of the logical partition {number} is empty")
        if not any(second):
            return found
        following = base + second[2]
        if second[1] not in EXTENDED or not here < following < limit:
            raise DeclinedError("the chain of logical partitions does not lead forwards")
        here = following
    raise DeclinedError(f"more than {MAX_LOGICAL} logical partitions")


def _slot(number: int, entry: Entry, base: int, disk_id: int) -> Slot:
    indicator, kind, start, size = entry
    if indicator not in (0, 0x80) or kind == 0 or size == 0 or start == 0 or kind in SPECIAL:
        raise DeclinedError(f"partition {number} of the MBR is unusual: type {kind:02x}, {size} sectors at {start}")
    partition = Partition(device_of(number), number, (base + start) * SECTOR, size * SECTOR, f"{kind:02x}")
    uuid = f"{disk_id:08x}-{number:02x}" if disk_id else ""
    return Slot(partition, uuid=uuid, container=kind in EXTENDED)


def _entries(sector: bytes) -> list[Entry]:
    return [struct.unpack_from("<B3xB3xII", sector, ENTRIES + 16 * index) for index in range(4)]
