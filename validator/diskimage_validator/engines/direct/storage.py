"""From the bytes of a disk to its file systems: table, partitions, logical volumes, and what is on each."""

from collections.abc import Iterator
from typing import Final, Protocol

from diskimage_validator.engines.base import Filesystem, Stat
from diskimage_validator.engines.direct.blocks import Read, window
from diskimage_validator.engines.direct.ext import ExtFilesystem
from diskimage_validator.engines.direct.fat import FatFilesystem
from diskimage_validator.engines.direct.identify import LVM, SWAP, UNKNOWN, VFAT, ext_type, identify
from diskimage_validator.engines.direct.lvm import read_lvm
from diskimage_validator.engines.direct.partitions import Table, read_table
from diskimage_validator.engines.direct.slot import DEVICE, SECTOR, Slot
from diskimage_validator.engines.volumes import Volume
from diskimage_validator.errors import DeclinedError
from diskimage_validator.frozen import dataclass

MAX_VOLUMES: Final = 100
"""File systems that are read of one disk."""


class FileSystem(Protocol):
    """A file system that can be read. ``path`` is absolute in it and real: no parent component is a link.

    Everything raises DeclinedError for what cannot be read with certainty.
    """

    def lstat(self, path: str) -> Stat | None:
        """Return the entry's stat, None if there is none."""

    def readlink(self, path: str) -> str:
        """Return the text of a symbolic link."""

    def read_file(self, path: str, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes of a regular file, from ``offset`` on."""

    def listdir(self, path: str) -> list[str]:
        """Return the names in a directory, without ``.`` and ``..``."""

    def scan(self, path: str) -> list[tuple[str, Stat]]:
        """Return name and lstat of every entry of a directory."""


@dataclass(frozen=True)
class Opened:
    """A file system that can be mounted: its reader, and its facts as they are when it is.

    ``unit`` is what it is read and written in at least, in bytes.
    """

    volume: Volume
    reader: FileSystem
    facts: Filesystem
    unit: int


@dataclass(frozen=True)
class Storage:
    """All of one disk. ``types`` are the file systems, swap and unknown content among them, by the device's name."""

    table: Table
    types: dict[str, str]
    opened: dict[str, Opened]


@dataclass(frozen=True)
class Piece:
    """A block device: the disk, a partition, a logical volume. ``expect``: see Blocks."""

    device: str
    read: Read
    expect: Read
    size: int
    slot: Slot | None = None


def read_storage(read: Read, size: int, expect: Read) -> Storage:
    """Return what is on a disk of ``size`` bytes. Raises DeclinedError unless all of it is known.

    ``read`` and ``expect`` are those of Blocks.
    """
    table = read_table(read, size)
    types: dict[str, str] = {}
    opened: dict[str, Opened] = {}
    pending = list(_pieces(table, read, expect, size))
    grouped = False
    while pending:
        piece = pending.pop(0)
        kind = identify(piece.read, piece.size, piece.device)
        if kind == LVM:
            if grouped or table.sector != SECTOR:
                raise DeclinedError(f"{piece.device} is a second physical volume of LVM, or one with large sectors")
            grouped = True
            pending += [
                Piece(one.device, one.reader(piece.read), one.reader(piece.expect), one.size)
                for one in read_lvm(piece.read, piece.size)
            ]
            continue
        if kind in (SWAP, UNKNOWN):
            types[piece.device] = kind
            continue
        found = _open(piece, kind)
        if found.unit < table.sector:  # a kernel would not mount it on such a disk
            raise DeclinedError(f"{piece.device} is made for smaller sectors than the partition table")
        types[piece.device] = found.volume.type
        opened[piece.device] = found
        if len(types) > MAX_VOLUMES:
            raise DeclinedError(f"more than {MAX_VOLUMES} file systems")
    return Storage(table, types, opened)


def _pieces(table: Table, read: Read, expect: Read, size: int) -> Iterator[Piece]:
    if table.kind == "none":
        yield Piece(DEVICE, read, expect, size)
    for slot in table.slots:
        if not slot.container:
            one = slot.partition
            start, length = one.start, one.size
            yield Piece(one.device, window(read, start, length), window(expect, start, length), length, slot)


def _open(piece: Piece, kind: str) -> Opened:
    return _open_fat(piece) if kind == VFAT else _open_ext(piece)


def _open_fat(piece: Piece) -> Opened:
    reader = FatFilesystem(piece.read, piece.size)
    facts = Filesystem(
        device=piece.device,
        type=VFAT,
        mountpoint=None,
        label=reader.label,
        uuid=reader.uuid,
        size=reader.total,
        free=reader.free,
        inodes=0,
        free_inodes=0,
    )
    return Opened(_volume(piece, facts), reader, facts, reader.sector)


def _open_ext(piece: Piece) -> Opened:
    kind = ext_type(piece.read, piece.device)
    reader = ExtFilesystem(piece.read, piece.size, piece.expect)
    info = reader.info
    facts = Filesystem(
        device=piece.device,
        type=kind,
        mountpoint=None,
        label=info.label,
        uuid=info.uuid,
        size=info.size,
        free=info.free,
        inodes=info.inodes,
        free_inodes=info.free_inodes,
        clean=info.clean,
        block_size=info.block_size,
        features=info.features,
    )
    return Opened(_volume(piece, facts), reader, facts, info.block_size)


def _volume(piece: Piece, facts: Filesystem) -> Volume:
    return Volume(
        mountable=piece.device,
        device=piece.device,
        type=facts.type,
        label=facts.label,
        uuid=facts.uuid,
        partition_label=piece.slot.name if piece.slot else "",
        partition_uuid=piece.slot.uuid if piece.slot else "",
    )
