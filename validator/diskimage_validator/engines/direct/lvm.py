"""Linear logical volumes of a volume group that is one physical volume. Everything else of LVM2 is declined.

Source: lvm2's lib/label/label.h and lib/format_text/layout.h. A label in one of the first four sectors leads to the
metadata areas; each has a header, which leads to the text in a ring of sectors behind it. All three have checksums.
"""

import struct
import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from diskimage_validator.engines.direct.blocks import Read, check_bounds
from diskimage_validator.engines.direct.lvm_text import Section, parse_lvm_text
from diskimage_validator.errors import DeclinedError
from diskimage_validator.frozen import dataclass

SECTOR: Final = 512
INITIAL_CRC: Final = 0xF597A6CF
LABEL: Final = struct.Struct("<8sQII8s")
AREA: Final = struct.Struct("<QQ")
HEADER: Final = struct.Struct("<I16sIQQ")
LOCATION: Final = struct.Struct("<QQII")
HEADER_MAGIC: Final = b" LVM2 x[5A%r0N*>"
MAX_TEXT: Final = 4 * 1024 * 1024
MAX_AREAS: Final = 8
MAX_VOLUMES: Final = 100
MAX_SEGMENTS: Final = 1_000

GROUP_STATUS: Final = frozenset({"READ", "WRITE", "RESIZEABLE"})
VOLUME_STATUS: Final = frozenset({"READ", "WRITE", "VISIBLE"})
GROUP_KEYS: Final = frozenset(
    {"id", "seqno", "format", "status", "flags", "tags", "extent_size", "max_lv", "max_pv", "metadata_copies"}
    | {"allocation_policy", "physical_volumes", "logical_volumes"}
)
VOLUME_KEYS: Final = frozenset(
    {"id", "status", "flags", "tags", "allocation_policy", "creation_time", "creation_host", "segment_count"}
)
"""What a group and a volume may have. Anything more (a lock, an owner, a profile) may change who can use it and how."""


@dataclass(frozen=True)
class Span:
    """Bytes of a logical volume: where they begin in it, where on the physical volume, and how many they are."""

    start: int
    place: int
    size: int


@dataclass(frozen=True)
class LogicalVolume:
    """``device`` is ``/dev/GROUP/VOLUME``; ``spans`` are in the order of their starts and without gaps; bytes."""

    device: str
    size: int
    spans: tuple[Span, ...]

    def reader(self, read: Read) -> Read:
        """Return a Read of the volume on a physical volume that ``read`` reads."""

        def read_inside(offset: int, length: int) -> bytes:
            check_bounds(offset, length, self.size)
            parts = []
            for span in self.spans:
                begin, end = max(offset, span.start), min(offset + length, span.start + span.size)
                if begin < end:
                    parts.append(read(span.place + begin - span.start, end - begin))
            return parts[0] if len(parts) == 1 else b"".join(parts)

        return read_inside


def read_lvm(read: Read, size: int) -> list[LogicalVolume]:
    """Return the volumes of a physical volume of ``size`` bytes. Raises DeclinedError for all but linear ones."""
    identity, areas = _label(read)
    texts = {_metadata(read, place, length, size) for place, length in areas}
    if len(texts) != 1:
        raise DeclinedError("LVM: no metadata, or copies of it that contradict each other")
    text = parse_lvm_text(texts.pop())
    if text.get("contents") != "Text Format Volume Group" or text.get("version") != 1:
        raise DeclinedError("LVM: metadata of an unknown format")
    groups = [(name, one) for name, one in text.items() if isinstance(one, dict)]
    if len(groups) != 1:
        raise DeclinedError(f"LVM: {len(groups)} volume groups in the metadata of one")
    return list(_volumes(*groups[0], identity, size))


def _crc(data: bytes) -> int:
    """Return LVM's checksum: CRC-32 with a beginning of its own and without the inversion at the end."""
    return zlib.crc32(data, INITIAL_CRC ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def _label(read: Read) -> tuple[str, list[tuple[int, int]]]:
    """Return the UUID of the physical volume, without hyphens, and place and size of its metadata areas."""
    sectors = [read(number * SECTOR, SECTOR) for number in range(4)]
    found = [(number, sector) for number, sector in enumerate(sectors) if sector.startswith(b"LABELONE")]
    if len(found) != 1:
        raise DeclinedError("LVM: several labels")
    ((here, sector),) = found
    _, number, crc, offset, kind = LABEL.unpack_from(sector)
    if number != here or kind != b"LVM2 001" or offset != LABEL.size or crc != _crc(sector[20:]):
        raise DeclinedError("LVM: the label is damaged")
    identity = sector[offset : offset + 32].decode("ascii", "replace")
    place = offset + 40
    _, place = _areas(sector, place)
    areas, _ = _areas(sector, place)
    return identity, areas


def _areas(sector: bytes, place: int) -> tuple[list[tuple[int, int]], int]:
    """Return a list of (place, size) in bytes, which a pair of zeros ends, and the place behind it."""
    found: list[tuple[int, int]] = []
    while place + AREA.size <= SECTOR and len(found) <= MAX_AREAS:
        start, size = AREA.unpack_from(sector, place)
        place += AREA.size
        if not start and not size:
            return found, place
        found.append((start, size))
    raise DeclinedError("LVM: the label is damaged: too many areas")


def _metadata(read: Read, place: int, length: int, size: int) -> str:
    header = read(place, SECTOR)
    crc, magic, version, start, ring = HEADER.unpack_from(header)
    if crc != _crc(header[4:]) or magic != HEADER_MAGIC or version != 1 or start != place or ring != length:
        raise DeclinedError("LVM: the header of a metadata area is damaged")
    offset, count, crc, flags = LOCATION.unpack_from(header, HEADER.size)
    check_bounds(place, ring, size)
    if flags or not SECTOR <= offset < ring or not 0 < count <= min(MAX_TEXT, ring - SECTOR):
        raise DeclinedError("LVM: a metadata area is not used, or says nothing")
    data = read(place + offset, min(count, ring - offset))
    data += read(place + SECTOR, count - len(data))  # the text goes on at the beginning of the ring
    if _crc(data) != crc:
        raise DeclinedError("LVM: the checksum of the metadata is wrong")
    return data.rstrip(b"\0").decode("utf-8", "replace")


def _volumes(name: str, group: Section, identity: str, size: int) -> Iterator[LogicalVolume]:
    volumes, physical = _part(group, "logical_volumes"), _part(group, "physical_volumes")
    unusual = group.keys() - GROUP_KEYS or _words(group, "status") - GROUP_STATUS or _words(group, "flags")
    if unusual:
        raise DeclinedError(f"LVM: the volume group {name} is unusual")
    if len(physical) != 1 or len(volumes) > MAX_VOLUMES:
        raise DeclinedError(f"LVM: the volume group {name} has {len(physical)} physical volumes")
    ((key, disk),) = physical.items()
    if not isinstance(disk, dict) or str(disk.get("id", "")).replace("-", "") != identity or _words(disk, "flags"):
        raise DeclinedError(f"LVM: the volume group {name} is on another physical volume")
    extent, first, count = _number(group, "extent_size"), _number(disk, "pe_start"), _number(disk, "pe_count")
    if not extent or (first + count * extent) * SECTOR > size:
        raise DeclinedError(f"LVM: the volume group {name} is larger than its disk")
    used: list[tuple[int, int]] = []
    for volume, content in volumes.items():
        if not isinstance(content, dict) or _words(content, "status") - VOLUME_STATUS or _words(content, "flags"):
            raise DeclinedError(f"LVM: the volume {name}/{volume} is unusual")
        if "VISIBLE" not in _words(content, "status"):
            raise DeclinedError(f"LVM: the volume {name}/{volume} is part of another one")
        runs = list(_runs(f"{name}/{volume}", content, key, count))
        used += [(place, length) for _, place, length in runs]
        unit = extent * SECTOR
        spans = tuple(Span(at * unit, first * SECTOR + place * unit, length * unit) for at, place, length in runs)
        yield LogicalVolume(f"/dev/{name}/{volume}", sum(span.size for span in spans), spans)
    ordered = sorted(used)
    if any(place + length > after for (place, length), (after, _) in pairwise(ordered)):
        raise DeclinedError(f"LVM: volumes of the group {name} overlap")


def _runs(name: str, volume: Section, physical: str, extents: int) -> Iterator[tuple[int, int, int]]:
    """Yield the segments as (start in the volume, start on the disk, number), in extents."""
    segments = [f"segment{number}" for number in range(1, min(_number(volume, "segment_count"), MAX_SEGMENTS) + 1)]
    if not segments or volume.keys() - VOLUME_KEYS != set(segments):
        raise DeclinedError(f"LVM: the volume {name} is unusual")
    at = 0
    for segment in segments:
        one = _part(volume, segment)
        stripes = one.get("stripes")
        if one.get("type") != "striped" or one.get("stripe_count") != 1 or not isinstance(stripes, list):
            raise DeclinedError(f"LVM: the volume {name} is not linear")
        start, length = _number(one, "start_extent"), _number(one, "extent_count")
        if len(stripes) != 2 or stripes[0] != physical or start != at or not length:
            raise DeclinedError(f"LVM: the segments of the volume {name} do not follow each other on one disk")
        place = stripes[1]
        if not isinstance(place, int) or not 0 <= place <= place + length <= extents:
            raise DeclinedError(f"LVM: the volume {name} is not on its disk")
        yield at, place, length
        at += length


def _part(section: Section, name: str) -> Section:
    found = section.get(name, {})
    if not isinstance(found, dict):
        raise DeclinedError(f"LVM: {name} is no section")
    return found


def _number(section: Section, name: str) -> int:
    found = section.get(name)
    if not isinstance(found, int) or found < 0:
        raise DeclinedError(f"LVM: {name} is no number")
    return found


def _words(section: Section, name: str) -> set[str]:
    found = section.get(name, [])
    if not isinstance(found, list):
        raise DeclinedError(f"LVM: {name} is no list")
    return {str(word) for word in found}
