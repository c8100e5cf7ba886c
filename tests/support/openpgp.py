"""OpenPGP signatures that name who made them, and sign nothing."""

import struct

KEY = bytes.fromhex("0cd9fed33135ce90")
FINGERPRINT = bytes.fromhex("2bc94fff7015a5f28f1537ad") + KEY


def packet(body: bytes) -> bytes:
    """Return a signature packet with a length of two octets, in the old format, as RPM keeps them."""
    return b"\x89" + struct.pack(">H", len(body)) + body


def v3(key: bytes = KEY) -> bytes:
    return bytes([3, 5, 0]) + bytes(4) + key + bytes([1, 8]) + b"hashed and signed"


def v4(hashed: bytes = b"", unhashed: bytes = b"") -> bytes:
    areas = struct.pack(">H", len(hashed)) + hashed + struct.pack(">H", len(unhashed)) + unhashed
    return bytes([4, 0, 1, 8]) + areas + b"hashed and signed"


def v6(hashed: bytes) -> bytes:
    return bytes([6, 0, 1, 8]) + struct.pack(">I", len(hashed)) + hashed + struct.pack(">I", 0) + b"salt and signed"


def subpacket(kind: int, value: bytes) -> bytes:
    return bytes([len(value) + 1, kind]) + value
