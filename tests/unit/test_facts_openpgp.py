import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diskimage_validator.facts.openpgp import UNKNOWN, issuer
from tests.support.openpgp import FINGERPRINT, KEY, packet, subpacket, v3, v4, v6


@pytest.mark.parametrize(
    "body",
    [
        v3(),
        v4(unhashed=subpacket(16, KEY)),
        v4(hashed=subpacket(2, bytes(4)) + subpacket(33, b"\x04" + FINGERPRINT), unhashed=subpacket(16, KEY)),
        v4(hashed=subpacket(0x80 | 16, KEY)),
        v4(hashed=b"\xff" + struct.pack(">I", 9) + b"\x10" + KEY),
        v4(hashed=b"\xc0\x0d\x14" + bytes(204) + subpacket(16, KEY)),
        v6(subpacket(33, b"\x06" + KEY + bytes(24))),
    ],
)
def test_the_issuer_is_the_key_that_the_packet_names(body: bytes) -> None:
    assert issuer(packet(body)) == KEY.hex()


@pytest.mark.parametrize(
    "head",
    [
        b"\x88" + bytes([len(v3())]),
        b"\x8a" + struct.pack(">I", len(v3())),
        b"\xc2" + bytes([len(v3())]),
        b"\xc2\xff" + struct.pack(">I", len(v3())),
    ],
)
def test_lengths_come_in_several_forms(head: bytes) -> None:
    assert issuer(head + v3()) == KEY.hex()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89",
        packet(b""),
        packet(v3()[:14]),
        packet(v4()),
        packet(v4(hashed=b"\x00\x10")),
        packet(v4(hashed=b"\xc5")),
        packet(v4(hashed=subpacket(16, KEY[:7]))),
        packet(bytes([5]) + v4()[1:]),
        b"\x8b" + v3(),
        b"\x99" + struct.pack(">H", len(v3())) + v3(),
    ],
)
def test_what_does_not_tell_is_unknown(data: bytes) -> None:
    assert issuer(data) == UNKNOWN


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"\x89\x00\xc8\x04\x00\x01\x08", b"\xc2\xc8\x06\x00\x01\x08"]))
def test_any_bytes_are_a_key_id_or_unknown(data: bytes, start: bytes) -> None:
    found = issuer(start + data)
    assert found == UNKNOWN or len(bytes.fromhex(found)) == 8
