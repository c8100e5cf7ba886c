"""Checksums of metadata: crc32c with ``metadata_csum``; crc16, of group descriptors only, with ``uninit_bg``.

Documentation/filesystems/ext4/checksums.rst. The kernel leaves out CRC-32C's last inversion, so what is stored is the
complement of what the library returns.
"""

from functools import cache
from typing import Final

from google_crc32c import extend as extend  # noqa: PLC0414 - for the one loop where a call more counts

MASK: Final = 0xFFFFFFFF
CRC16: Final = 0xA001
"""The polynomial of the kernel's lib/crc16.c, reflected."""


def crc32c(seed: int, data: bytes) -> int:
    """Return the checksum of ``data`` after what ``seed`` is the checksum of, both as they are stored."""
    return int(extend(seed ^ MASK, data)) ^ MASK


def crc16(data: bytes) -> int:
    """Return the kernel's crc16 of ``data``, begun with all ones."""
    table, crc = _table(), 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc


@cache
def _table() -> tuple[int, ...]:
    """Return what each byte adds."""
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (CRC16 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)
