"""RPM's own database format, ``Packages.db`` (SUSE): pages of slots, then the headers, in blocks of 16 bytes.

The format is that of ``lib/backend/ndb/rpmpkg.c`` in RPM; numbers are little-endian.

::

    file    "RpmP", version 0, generation, pages of slots, next package, 12 bytes unused; the slots follow
    slot    "Slot", package, first block, blocks      (first block 0: the slot is free)
    header  "BlbS", package, generation, length; the bytes, padded; Adler-32 of all that, length, "BlbE"
"""

import struct
import zlib
from typing import Final

from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.rpm_data import Data, Headers
from diskimage_validator.facts.rpm_header import MAX_HEADER

PAGE: Final = 4096
BLOCK: Final = 16
SLOT: Final = struct.Struct("<4sIII")
HEAD: Final = struct.Struct("<4sIII")
TAIL: Final = struct.Struct("<II4s")
FIRST_SLOT: Final = 32


def headers(data: Data) -> Headers:
    """Yield the headers in the order in which they were installed. Raises FactError for anything damaged."""
    end = _start_of_blobs(data) // BLOCK
    for first, blocks, package in _slots(data):
        if first < end:
            raise FactError(f"package {package} overlaps another one, or the slots")
        end = first + blocks
    for package, first, blocks in sorted((package, first, blocks) for first, blocks, package in _slots(data)):
        yield _blob(data[first * BLOCK : (first + blocks) * BLOCK], package)


def _start_of_blobs(data: Data) -> int:
    if len(data) < PAGE:
        raise FactError(f"{len(data)} bytes are no database in the format ndb")
    magic, version, _, pages = struct.unpack_from("<4sIII", data)
    if magic != b"RpmP" or version != 0:
        raise FactError(f"no database in the format ndb, version 0: it begins with {magic!r}, version {version}")
    if not 0 < pages <= len(data) // PAGE:
        raise FactError(f"{len(data)} bytes cannot have {pages} pages of slots: it is cut off")
    return int(pages * PAGE)


def _slots(data: Data) -> list[tuple[int, int, int]]:
    """Return (first block, blocks, package) of all slots in use, in the order of the file."""
    found: dict[int, tuple[int, int, int]] = {}
    for position in range(FIRST_SLOT, _start_of_blobs(data), SLOT.size):
        magic, package, first, blocks = SLOT.unpack_from(data, position)
        if magic != b"Slot":
            raise FactError(f"no slot at byte {position}")
        if first == 0:
            continue
        if package in found or not package or not blocks or (first + blocks) * BLOCK > len(data):
            raise FactError(f"the slot at byte {position} is damaged, or the file is cut off")
        found[package] = (first, blocks, package)
    return sorted(found.values())


def _blob(blocks: bytes, package: int) -> bytes:
    if not HEAD.size + TAIL.size <= len(blocks) <= MAX_HEADER:
        raise FactError(f"package {package} has {len(blocks)} bytes")
    magic, owner, _, length = HEAD.unpack_from(blocks)
    checksum, again, end = TAIL.unpack_from(blocks, len(blocks) - TAIL.size)
    padding = len(blocks) - HEAD.size - TAIL.size - length
    if (magic, end, owner, again) != (b"BlbS", b"BlbE", package, length) or not 0 <= padding < BLOCK:
        raise FactError(f"what the slot of package {package} leads to is not its header")
    if zlib.adler32(blocks[: -TAIL.size]) != checksum:
        raise FactError(f"the checksum of package {package} is wrong")
    return blocks[HEAD.size : HEAD.size + length]
