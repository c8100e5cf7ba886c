"""Stores of CAs in the formats of Java, NSS, UEFI and OpenSSL's trusted certificates, for tests."""

import base64
import hashlib
import sqlite3
import struct
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, NoEncryption, pkcs12

from diskimage_validator import der
from diskimage_validator.facts.edk2_store import X509
from diskimage_validator.facts.java_keystore import JKS

SERVER_AUTH = bytes.fromhex("2b06010505070301")
EMAIL = bytes.fromhex("2b06010505070304")
TRUSTED_DELEGATOR, NOT_TRUSTED, MUST_VERIFY = 0xCE534352, 0xCE53435A, 0xCE534353


def make_jks(certificates: Sequence[bytes], *, keys: int = 0, version: int = 2) -> bytes:
    """Return a JKS keystore with trusted certificates (DER), after ``keys`` entries with a private key."""
    kind = _utf("X.509") if version == 2 else b""
    body = struct.pack(">III", JKS, version, len(certificates) + keys)
    for number in range(keys):
        body += struct.pack(">I", 1) + _utf(f"key{number}") + bytes(8) + struct.pack(">I", 3) + b"key"
        body += struct.pack(">I", 1) + kind + struct.pack(">I", 4) + b"leaf"
    for number, data in enumerate(certificates):
        body += struct.pack(">I", 2) + _utf(f"ca{number}") + bytes(8) + kind + struct.pack(">I", len(data)) + data
    return body + hashlib.sha1("changeit".encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()


def _utf(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()


def make_pkcs12(certificates: Sequence[x509.Certificate], password: bytes | None = b"changeit") -> bytes:
    """Return a PKCS #12 file with certificates alone."""
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return pkcs12.serialize_key_and_certificates(None, None, None, list(certificates), encryption)


def make_nss(certificates: Sequence[tuple[bytes, int | None]], *, view: bool = False) -> bytes:
    """Return a cert9.db with certificates (DER) and what it says about TLS servers, None without a trust record."""
    database = sqlite3.connect(":memory:")
    table = "stored" if view else "nssPublic"
    database.execute(f"CREATE TABLE {table} (id PRIMARY KEY UNIQUE ON CONFLICT ABORT, a0, a11, ace5363b4, ace536358)")
    if view:
        database.execute("CREATE VIEW nssPublic AS SELECT * FROM stored")
    for data, trust in certificates:
        database.execute(f"INSERT INTO {table} (a0, a11) VALUES (?, ?)", (_number(1), data))
        if trust is not None:
            row = (_number(0xCE534353), hashlib.sha1(data).digest(), _number(trust))
            database.execute(f"INSERT INTO {table} (a0, ace5363b4, ace536358) VALUES (?, ?, ?)", row)
    database.commit()
    return bytes(database.serialize())


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def make_edk2(certificates: Sequence[bytes], kind: bytes = X509) -> bytes:
    """Return signature lists, one for each certificate (DER)."""
    lists = (
        struct.pack("<16sIII", kind, 28 + 16 + len(data), 0, 16 + len(data)) + bytes(16) + data for data in certificates
    )
    return b"".join(lists)


def trusted_pem(data: bytes, *, trust: Sequence[bytes] | None = None, reject: Sequence[bytes] = ()) -> bytes:
    """Return ``BEGIN TRUSTED CERTIFICATE`` with trust settings, given as OIDs in DER without a header."""
    parts = b""
    if trust is not None:
        parts += der.encode(der.SEQUENCE, b"".join(der.encode(der.OBJECT_IDENTIFIER, oid) for oid in trust))
    if reject:
        parts += der.encode(0xA0, b"".join(der.encode(der.OBJECT_IDENTIFIER, oid) for oid in reject))
    body = base64.encodebytes(data + der.encode(der.SEQUENCE, parts))
    return b"-----BEGIN TRUSTED CERTIFICATE-----\n" + body + b"-----END TRUSTED CERTIFICATE-----\n"
