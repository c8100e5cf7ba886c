"""The number by which OpenSSL finds a CA in a folder: ``X509_NAME_hash``, as ``openssl x509 -subject_hash`` prints it.

It is the SHA-1 of the name's *canonical* form, of which the first four bytes are taken as a little-endian number. In
the canonical form every text is UTF-8, in lower case (ASCII only), with white space at its ends removed and other
runs of it made one space. Source: OpenSSL's crypto/x509/x_name.c (``x509_name_canon``, ``asn1_string_canon``) and
crypto/x509/x509_cmp.c; c_rehash(1).
"""

import hashlib
import re
from typing import Final

from diskimage_validator import der

_ENCODINGS: Final = {
    12: "utf-8",  # UTF8String
    19: "latin-1",  # PrintableString
    20: "latin-1",  # T61String, which OpenSSL takes for Latin-1
    22: "latin-1",  # IA5String
    26: "latin-1",  # VisibleString
    28: "utf-32-be",  # UniversalString
    30: "utf-16-be",  # BMPString
}
_UTF8_STRING: Final = 12
_SPACES: Final = re.compile(rb"[ \t\n\v\f\r]+")


def subject_hash(certificate: bytes) -> str:
    """Return the hash of the subject of a ``certificate`` in DER form: 8 hex digits. Raises DerError."""
    return name_hash(subject_of(certificate))


def old_subject_hash(certificate: bytes) -> str:
    """Return what OpenSSL before 1.0 looked for: the MD5 of the name as it stands. p11-kit links both."""
    name = der.encode(der.SEQUENCE, subject_of(certificate))
    digest = hashlib.md5(name, usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


def subject_of(certificate: bytes) -> bytes:
    """Return the content of the subject (RFC 5280, 4.1) of a ``certificate`` in DER form. Raises DerError."""
    signed = der.first(der.first(certificate).content)
    fields = [field for field in der.elements(signed.content) if field.tag != 0xA0]  # without the version
    if len(fields) < 5 or fields[4].tag != der.SEQUENCE:
        raise der.DerError("no subject")
    return fields[4].content


def name_hash(name: bytes) -> str:
    """Return the hash of a name, given as the content of its SEQUENCE. Raises DerError."""
    canonical = b"".join(_canonical_set(part.content) for part in der.elements(name))
    digest = hashlib.sha1(canonical, usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


def _canonical_set(content: bytes) -> bytes:
    attributes = sorted(_canonical_attribute(attribute.content) for attribute in der.elements(content))
    return der.encode(der.SET, b"".join(attributes))


def _canonical_attribute(content: bytes) -> bytes:
    parts = list(der.elements(content))
    if len(parts) != 2:
        raise der.DerError("an attribute of a name is a type and a value")
    kind, value = parts
    encoding = _ENCODINGS.get(value.tag)
    if encoding is None:
        canonical = der.encode(value.tag, value.content)
    else:
        text = value.content.decode(encoding, "replace").encode()
        canonical = der.encode(_UTF8_STRING, _SPACES.sub(b" ", text.strip(b" \t\n\v\f\r")).lower())
    return der.encode(der.SEQUENCE, der.encode(kind.tag, kind.content) + canonical)
