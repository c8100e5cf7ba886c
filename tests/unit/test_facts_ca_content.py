import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.facts import ca_content, edk2_store
from diskimage_validator.facts.ca_content import DISTRUSTED, TRUSTED, parse_pem
from diskimage_validator.facts.edk2_store import parse_edk2
from tests.support import pki
from tests.support.stores import EMAIL, SERVER_AUTH, make_edk2, trusted_pem

DER = pki.der(pki.certificate("Internal CA"))
PEM = pki.pem(pki.certificate("Internal CA"))


@pytest.mark.parametrize(
    ("data", "trust"),
    [
        (PEM, TRUSTED),
        (DER, TRUSTED),
        (trusted_pem(DER), TRUSTED),
        (trusted_pem(DER, trust=[SERVER_AUTH, EMAIL]), TRUSTED),
        (trusted_pem(DER, trust=[EMAIL]), DISTRUSTED),
        (trusted_pem(DER, trust=[]), DISTRUSTED),
        (trusted_pem(DER, trust=[SERVER_AUTH], reject=[SERVER_AUTH]), DISTRUSTED),
        (trusted_pem(DER, reject=[EMAIL]), TRUSTED),
    ],
)
def test_trust_of_pem_and_der(data: bytes, trust: str) -> None:
    assert parse_pem(data).certificates == [(trust, DER)]


def test_damaged_settings_are_named() -> None:
    broken = trusted_pem(DER + b"\x30\x05")
    assert parse_pem(broken).unparsed[0].reason == "an element is cut off"


def test_keys_and_certificates_are_found_together() -> None:
    content = parse_pem(PEM + pki.private_key("x"))
    assert (len(content.certificates), len(content.keys)) == (1, 1)


def test_the_number_of_blocks_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ca_content, "MAX_CERTIFICATES", 1)
    assert "more than 1 blocks" in parse_pem(PEM * 3).unparsed[0].reason


def test_signature_lists_of_edk2() -> None:
    other = make_edk2([b"hash"], bytes(16))
    assert parse_edk2(make_edk2([DER]) + other + make_edk2([DER])).certificates == [(TRUSTED, DER)] * 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (make_edk2([DER])[:20], "cut off"),
        (make_edk2([DER])[:-1], "wrong sizes"),
        (struct.pack("<16sIII", edk2_store.X509, 0, 0, 20), "wrong sizes"),
        (struct.pack("<16sIII", edk2_store.X509, 38, 0, 0) + bytes(10), "wrong sizes"),
    ],
    ids=["header", "content", "list", "entry"],  # not the bytes: a certificate's length is not always the same
)
def test_damaged_signature_lists_are_named(data: bytes, reason: str) -> None:
    assert reason in parse_edk2(data).unparsed[0].reason


def test_the_number_of_signatures_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edk2_store, "MAX_CERTIFICATES", 2)
    many = struct.pack("<16sIII", edk2_store.X509, 28 + 5 * 17, 0, 17) + bytes(5 * 17)
    for data in (many, make_edk2([DER] * 3)):
        content = parse_edk2(data)
        assert len(content.certificates) == 2
        assert "more than 2" in content.unparsed[0].reason


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything(data: bytes) -> None:
    for read in (parse_pem, parse_edk2):
        read(data)
    parse_pem(trusted_pem(DER + data))
    parse_edk2(make_edk2([DER]) + data)
