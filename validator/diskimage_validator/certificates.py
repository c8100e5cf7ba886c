"""Certificates from PEM or DER bytes, one by one: what cannot be parsed is named and the rest goes on.

``cryptography`` parses a PEM file as a whole or not at all; a trust store of 150 certificates must not become
unreadable because of one of them. So blocks are split here, line by line as OpenSSL does it, and parsed singly.
"""

import base64
import binascii
import hashlib
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509

MAX_CERTIFICATES: Final = 10_000
_LABELS: Final = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE"})
_BEGIN: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----\s*")


@dataclass(frozen=True)
class Certificate:
    """One X.509 certificate.

    ``sha256``: fingerprint of the DER form, lower-case hex; ``subject`` and ``issuer``: RFC 4514; times are UTC;
    ``is_ca``: basicConstraints' cA, None if there is no such extension.
    """

    sha256: str
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    is_ca: bool | None

    def __str__(self) -> str:
        return self.subject or f"sha256 {self.sha256}"

    @property
    def constraint(self) -> str:
        """What basicConstraints say, as OpenSSL writes it."""
        return {True: "CA:TRUE", False: "CA:FALSE", None: "no basicConstraints"}[self.is_ca]

    def fault(self, now: datetime) -> str:
        """Return why this certificate is no usable CA at ``now``, as the end of a sentence; empty if it is one."""
        if now > self.not_after:
            return f"expired on {self.not_after:%Y-%m-%d}"
        if now < self.not_before:
            return f"is not valid before {self.not_before:%Y-%m-%d}"
        if self.is_ca is None:
            return "is no CA certificate: it has no basicConstraints"
        return "" if self.is_ca else "is no CA certificate: basicConstraints say CA:FALSE"


@dataclass(frozen=True)
class Unparsed:
    """A block that is no certificate we can read. ``index`` counts blocks from 1; ``sha256`` is empty without DER."""

    index: int
    reason: str
    sha256: str = ""


@dataclass(frozen=True)
class Parsed:
    """Content of a file: the certificates and the blocks that could not be parsed, each in order."""

    certificates: tuple[Certificate, ...]
    unparsed: tuple[Unparsed, ...]


def parse_certificates(data: bytes) -> Parsed:
    """Return the certificates in ``data``: PEM blocks with any text between them, or a single DER certificate.

    Never raises for bad input. Blocks with other labels (keys, lists of revocations) are passed over; more than
    ``MAX_CERTIFICATES`` blocks end in one Unparsed entry that says so.
    """
    certificates: list[Certificate] = []
    unparsed: list[Unparsed] = []
    for index, der in enumerate(_blocks(data), start=1):
        if index > MAX_CERTIFICATES:
            unparsed.append(Unparsed(index, f"more than {MAX_CERTIFICATES} certificates: the rest was not read"))
            break
        parsed = Unparsed(index, der) if isinstance(der, str) else _parse_der(index, der)
        if isinstance(parsed, Unparsed):
            unparsed.append(parsed)
        else:
            certificates.append(parsed)
    return Parsed(tuple(certificates), tuple(unparsed))


def fingerprints(data: bytes) -> Iterator[str]:
    """Yield the sha256 of every block in ``data`` without parsing it any further."""
    for der in _blocks(data):
        if isinstance(der, bytes):
            yield hashlib.sha256(der).hexdigest()


def holds_private_key(data: bytes) -> bool:
    """Whether ``data`` has a PEM block with a private key of any kind."""
    return re.search(rb"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----", data) is not None


def _blocks(data: bytes) -> Iterator[bytes | str]:
    """Yield the DER form of every certificate block, or a reason why there is none."""
    if data[:1] == b"\x30" and b"-----BEGIN" not in data:
        yield data
        return
    label: bytes | None = None
    body: list[bytes] = []
    for line in data.splitlines():
        if label is None:
            begin = _BEGIN.fullmatch(line)
            if begin and begin[1] in _LABELS:
                label, body = begin[1], []
        elif not line.startswith(b"-----"):
            body.append(line)
        else:
            yield _decode(body) if line.rstrip() == b"-----END %s-----" % label else "its END line is damaged"
            label = None
    if label is not None:
        yield "it has no END line"


def _decode(body: list[bytes]) -> bytes | str:
    try:
        return base64.b64decode(b"".join(b"".join(body).split()), validate=True)
    except binascii.Error:
        return "it is no valid base64"


def _parse_der(index: int, der: bytes) -> Certificate | Unparsed:
    digest = hashlib.sha256(der).hexdigest()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # oddities that cryptography will refuse one day; it still reads them
            loaded = x509.load_der_x509_certificate(der)
            return Certificate(
                sha256=digest,
                subject=loaded.subject.rfc4514_string(),
                issuer=loaded.issuer.rfc4514_string(),
                not_before=loaded.not_valid_before_utc,
                not_after=loaded.not_valid_after_utc,
                is_ca=_is_ca(loaded),
            )
    except Exception as error:  # hostile input: cryptography documents no complete list
        return Unparsed(index, f"{type(error).__name__}: {error}", digest)


def _is_ca(certificate: x509.Certificate) -> bool | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return None
