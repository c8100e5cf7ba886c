"""Whose key made an OpenPGP signature: the issuer that the packet names. Nothing is verified here.

Packets, signature packets of version 3, 4 and 6 and their subpackets: RFC 9580, sections 4.2, 5.2 and 5.2.3.
"""

import struct
from collections.abc import Iterator
from typing import Final

UNKNOWN: Final = "unknown"
"""What ``issuer`` returns for a signature that does not say who made it, or in a form that is not known."""
_SIGNATURE: Final = 2
_ISSUER_KEY_ID: Final = 16
_ISSUER_FINGERPRINT: Final = 33


def issuer(packet: bytes) -> str:
    """Return the key id, 16 lower-case hex digits, that the signature in ``packet`` names; else UNKNOWN."""
    try:
        tag, body = _packet(packet)
        return (_key_id(body) if tag == _SIGNATURE else "") or UNKNOWN
    except (IndexError, struct.error):  # it ends before its fields do
        return UNKNOWN


def _packet(data: bytes) -> tuple[int, bytes]:
    """Return (type, body) of the first packet."""
    first = data[0]
    if first & 0x40:
        length, start = _length(data, 1)
        return first & 0x3F, data[start : start + length]
    width = {0: 1, 1: 2, 2: 4}.get(first & 3, 0)  # 3: up to the end, which signatures do not use
    return first >> 2 & 0x0F, data[1 + width : 1 + width + int.from_bytes(data[1 : 1 + width])]


def _length(data: bytes, position: int) -> tuple[int, int]:
    """Return a length of one, two or five octets at ``position``, and where the data after it begins."""
    first = data[position]
    if first < 192:
        return first, position + 1
    if first < 255:
        return (first - 192 << 8) + data[position + 1] + 192, position + 2
    return struct.unpack_from(">I", data, position + 1)[0], position + 5


def _key_id(body: bytes) -> str:
    version = body[0]
    if version == 3:  # version, length 5, type, time of four octets, key id
        return body[7:15].hex() if len(body) >= 15 else ""
    if version not in (4, 6):
        return ""
    width = 2 if version == 4 else 4
    position = 4
    for _ in ("hashed", "unhashed"):
        length = int.from_bytes(body[position : position + width])
        position += width
        for kind, value in _subpackets(body[position : position + length]):
            if kind == _ISSUER_KEY_ID and len(value) == 8:
                return value.hex()
            if kind == _ISSUER_FINGERPRINT and len(value) in (21, 33):  # led by the version of the key
                return (value[-8:] if value[0] == 4 else value[1:9]).hex()
        position += length
    return ""


def _subpackets(area: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(area):
        length, position = _length(area, position)
        if length == 0:
            return
        yield area[position] & 0x7F, area[position + 1 : position + length]
        position += length
