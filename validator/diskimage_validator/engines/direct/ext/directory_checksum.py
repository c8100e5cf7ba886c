"""Checksums of a directory's blocks: Documentation/filesystems/ext4/directory.rst and checksums.rst."""

import struct
from typing import Final

from diskimage_validator.engines.direct.ext.checksum import crc32c
from diskimage_validator.errors import DeclinedError

TAIL: Final = b"\0\0\0\0\x0c\0\0\xde"
"""What the last entry of a block with entries begins with: unused, 12 bytes. Its checksum follows."""
TAIL_SIZE: Final = 12
ROOT: Final = 32
"""Where the index begins in its root: after ``.``, ``..`` and 8 bytes that describe it."""
NODE: Final = 8
"""Where it begins in other nodes: after an unused entry, as long as the block."""
COUNTS: Final = struct.Struct("<HH")
"""Room for entries of the index, entries: where the first one would have its hash."""
INDEX_ENTRY: Final = 8
SUM: Final = struct.Struct("<I")


def check_directory(data: bytes, block_size: int, seed: int, number: int, *, indexed: bool) -> None:
    """Raise DeclinedError if a block of the directory ``number`` does not have the checksum that it says."""
    for at in range(0, len(data), block_size):
        block = data[at : at + block_size]
        if indexed and at == 0:
            sound = _index_is_sound(block, ROOT, seed)
        elif indexed and block[:6] == bytes(4) + block_size.to_bytes(2, "little"):
            sound = _index_is_sound(block, NODE, seed)
        else:
            (checksum,) = SUM.unpack_from(block, block_size - SUM.size)
            sound = block[-TAIL_SIZE : -SUM.size] == TAIL and checksum == crc32c(seed, block[:-TAIL_SIZE])
        if not sound:
            raise DeclinedError(f"ext: a checksum in directory {number} is wrong")


def _index_is_sound(block: bytes, start: int, seed: int) -> bool:
    """Whether a node of an index has its checksum, which is after the room for its entries: ext4_dx_csum()."""
    room, count = COUNTS.unpack_from(block, start)
    place = start + room * INDEX_ENTRY + SUM.size
    if count > room or place + SUM.size > len(block):
        return False
    summed = block[: start + count * INDEX_ENTRY] + block[place - SUM.size : place] + bytes(SUM.size)
    return bool(SUM.unpack_from(block, place)[0] == crc32c(seed, summed))
