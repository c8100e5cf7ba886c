import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.der import DerError, elements, encode, first
from diskimage_validator.name_hash import name_hash, old_subject_hash, subject_hash
from tests.support import pki

KEY = ec.generate_private_key(ec.SECP256R1())
Rdns = list[list[tuple[x509.ObjectIdentifier, str, _ASN1Type]]]


def certificate(rdns: Rdns) -> bytes:
    name = x509.Name(
        [
            x509.RelativeDistinguishedName([x509.NameAttribute(oid, text, kind) for oid, text, kind in rdn])
            for rdn in rdns
        ]
    )
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), 1, pki.NOW, pki.NOW + pki.YEAR)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def openssl(option: str, data: bytes) -> str:
    command = ["openssl", "x509", "-inform", "DER", "-noout", option]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode().strip()


UTF8, PRINTABLE, BMP, IA5, NUMERIC = (
    _ASN1Type.UTF8String,
    _ASN1Type.PrintableString,
    _ASN1Type.BMPString,
    _ASN1Type.IA5String,
    _ASN1Type.NumericString,
)


@pytest.mark.parametrize(
    "rdns",
    [
        [[(NameOID.COUNTRY_NAME, "DE", PRINTABLE)], [(NameOID.COMMON_NAME, "Internal Root CA", UTF8)]],
        [[(NameOID.COMMON_NAME, "  Many \t  spaces  ", UTF8)]],
        [[(NameOID.COMMON_NAME, "ÄÖÜ Größe İ ß", UTF8)]],
        [[(NameOID.COMMON_NAME, "Größe", BMP)]],
        [[(NameOID.EMAIL_ADDRESS, "PKI@Example.ORG", IA5)]],
        [[(NameOID.SERIAL_NUMBER, "12 34", NUMERIC)]],
        [[(NameOID.ORGANIZATION_NAME, "Z", UTF8), (NameOID.COMMON_NAME, "A longer name", PRINTABLE)]],
        [],
    ],
)
def test_hashes_are_those_of_openssl(rdns: Rdns) -> None:
    data = certificate(rdns)
    assert subject_hash(data) == openssl("-subject_hash", data)
    assert old_subject_hash(data) == openssl("-subject_hash_old", data)


def test_names_that_differ_in_case_and_spaces_have_one_hash() -> None:
    texts = ("Internal CA", " internal  ca ")
    assert len({subject_hash(certificate([[(NameOID.COMMON_NAME, text, UTF8)]])) for text in texts}) == 1


def test_long_elements_survive_encoding() -> None:
    for size in (0, 127, 128, 255, 256, 70_000):
        element = first(encode(0x04, bytes(size)))
        assert (element.tag, len(element.content)) == (0x04, size)


@pytest.mark.parametrize(
    "data", [b"", b"\x30", b"\x30\x05\x00", b"\x30\x80", b"\x30\x85\x01\x01\x01\x01\x01", b"\x1f\x01\x00"]
)
def test_what_is_no_der_is_refused(data: bytes) -> None:
    with pytest.raises(DerError):
        first(data)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for read in (name_hash, subject_hash, old_subject_hash, lambda text: list(elements(text))):
        try:
            read(data)
        except DerError:
            continue
