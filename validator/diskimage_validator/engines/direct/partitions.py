"""Which partitions a disk has: MBR with logical partitions, GPT, or none at all.

The kernel and parted each have a way of their own with a damaged or unusual table. What is read here is what both, and
so libguestfs, see alike; anything else is declined. Tables count in sectors of 512 bytes; a GPT may also be made for a
disk with sectors of 4096 bytes, which nothing but the place of its header says.
"""

from typing import Final

from diskimage_validator.engines.direct.blocks import Read
from diskimage_validator.engines.direct.gpt import read_gpt
from diskimage_validator.engines.direct.mbr import is_protective, read_mbr
from diskimage_validator.engines.direct.slot import BOOT_SIGNATURE, GPT_SIGNATURE, SECTOR, Slot
from diskimage_validator.errors import DeclinedError
from diskimage_validator.frozen import dataclass

BIG_SECTOR: Final = 4096
BOOT_AREA: Final = 1024
"""Bytes before the superblock of ext2/3/4, where a boot loader or another kind of partition table can be."""


@dataclass(frozen=True)
class Table:
    """``kind`` is ``mbr``, ``gpt`` or ``none``; ``slots`` are in the order of their places on the disk.

    ``sector`` is the size of the sectors that the table is made for, in bytes.
    """

    kind: str
    slots: tuple[Slot, ...] = ()
    sector: int = SECTOR


def read_table(read: Read, size: int) -> Table:
    """Return the partition table of a disk of ``size`` bytes. Raises DeclinedError for what is not beyond doubt."""
    if size < 2 * SECTOR:
        raise DeclinedError(f"a disk of {size} bytes")
    head = read(0, min(size, BIG_SECTOR + SECTOR))
    places = [sector for sector in (SECTOR, BIG_SECTOR) if head[sector : sector + 8] == GPT_SIGNATURE]
    if len(places) > 1:
        raise DeclinedError("the disk has a GPT for sectors of 512 bytes and one for 4096")
    if head[510:512] != BOOT_SIGNATURE:
        if places:
            raise DeclinedError("a GPT without its protective MBR")
        return _no_table(head)
    if is_protective(head[:SECTOR]):
        sector = places[0] if places else SECTOR
        return Table("gpt", _checked(read_gpt(read, size, sector), size, nested=False), sector)
    if places:
        raise DeclinedError("the disk has an MBR and a GPT")
    slots = _checked(read_mbr(read), size, nested=True)
    return Table("mbr", slots) if slots else _no_table(head)


def _no_table(head: bytes) -> Table:
    """Return the table of a disk without one, if there is nothing in the place of a table of any other kind either."""
    if any(head[:BOOT_AREA]):
        raise DeclinedError("the disk begins with something that is no MBR and no GPT")
    return Table("none")


def _checked(slots: list[Slot], size: int, *, nested: bool) -> tuple[Slot, ...]:
    """Return ``slots`` by their place; decline partitions that overlap or are not on the disk.

    Where they may be ``nested``, a logical partition is within its extended one, behind the sector that describes it.
    """
    ordered = sorted(slots, key=lambda slot: slot.partition.start)
    end = SECTOR
    for slot in ordered:
        one = slot.partition
        if one.start < end or one.size <= 0 or one.start + one.size > size:
            raise DeclinedError(f"{one.device} overlaps another partition, or is not on the disk")
        end = one.start + (SECTOR if nested and slot.container else one.size)
    for container in (slot.partition for slot in ordered if nested and slot.container):
        for one in (slot.partition for slot in ordered if not slot.container):
            inside = container.start <= one.start < container.start + container.size
            if inside and (one.number < 5 or one.start + one.size > container.start + container.size):
                raise DeclinedError(f"{one.device} overlaps the extended partition {container.device}")
    return tuple(ordered)
