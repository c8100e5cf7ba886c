"""Certificates from PEM or DER bytes, one by one: what cannot be parsed is named and the rest goes on."""

import hashlib
import warnings
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.extensions import ExtensionTypeVar

from diskimage_validator import pem
from diskimage_validator.der import DerError
from diskimage_validator.frozen import dataclass
from diskimage_validator.name_hash import subject_hash

MAX_CERTIFICATES: Final = 10_000
_LOADED: Final[dict[str, "Certificate"]] = {}
"""Certificates by sha256: the same are in the bundle, in files of their own and in every program's copy."""
_LABELS: Final = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE"})


@dataclass(frozen=True)
class Certificate:
    """One X.509 certificate (RFC 5280).

    ``sha256``: fingerprint of the DER form, lower-case hex; ``subject`` and ``issuer``: RFC 4514; times are UTC;
    ``is_ca``: basicConstraints' cA, None if there is no such extension; ``is_constraint_critical``: whether that is
    marked critical; ``path_length``: its pathLenConstraint; ``signs_certificates``: keyUsage's keyCertSign, None if
    there is no such extension; ``key_type``: ``RSA``, ``EC``, ``DSA`` or the class of another key; ``key_bits``: of
    RSA, EC and DSA keys, else 0; ``curve``: of an EC key, as ``secp256r1``; ``signature``: hash of the signature in
    lower case, as ``sha256``, empty where the algorithm has none of its own (Ed25519); ``self_signed``: subject,
    issuer and the key identifiers say so; ``key_id``: subjectKeyIdentifier, hex; ``key_sha256``: of the public key
    (SubjectPublicKeyInfo); ``name_hash``: what OpenSSL looks the subject up by.
    """

    sha256: str
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    is_ca: bool | None
    is_constraint_critical: bool = False
    path_length: int | None = None
    signs_certificates: bool | None = None
    key_type: str = ""
    key_bits: int = 0
    curve: str = ""
    signature: str = ""
    self_signed: bool = False
    key_id: str = ""
    key_sha256: str = ""
    name_hash: str = ""

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
    for index, block in enumerate(_blocks(data), start=1):
        if index > MAX_CERTIFICATES:
            unparsed.append(Unparsed(index, f"more than {MAX_CERTIFICATES} certificates: the rest was not read"))
            break
        parsed = Unparsed(index, block.fault) if block.fault else load_certificate(block.der, index)
        if isinstance(parsed, Unparsed):
            unparsed.append(parsed)
        else:
            certificates.append(parsed)
    return Parsed(tuple(certificates), tuple(unparsed))


def fingerprints(data: bytes) -> Iterator[str]:
    """Yield the sha256 of every block in ``data`` without parsing it any further."""
    return (hashlib.sha256(der).hexdigest() for der in der_blocks(data))


def der_blocks(data: bytes) -> Iterator[bytes]:
    """Yield what every sound block in ``data`` holds: the DER form of a certificate, if it is one."""
    return (block.der for block in _blocks(data) if not block.fault)


def holds_private_key(data: bytes) -> bool:
    """Whether ``data`` has a PEM block with a private key of any kind."""
    return bool(pem.private_keys(data))


def is_der(data: bytes) -> bool:
    """Whether ``data`` is rather a single DER certificate than PEM text."""
    return data[:1] == b"\x30" and b"-----BEGIN" not in data


def load_certificate(der: bytes, index: int = 1) -> Certificate | Unparsed:
    """Return the certificate of that DER form, or why it is none. ``index`` is for the latter. Never raises."""
    digest = hashlib.sha256(der).hexdigest()
    if digest in _LOADED:
        return _LOADED[digest]
    if len(der) > pem.MAX_BLOCK:
        return Unparsed(index, f"it is larger than {pem.MAX_BLOCK // 1024} KiB", digest)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # oddities that cryptography will refuse one day; it still reads them
            loaded = _certificate(x509.load_der_x509_certificate(der), der, digest)
    except Exception as error:  # hostile input: cryptography documents no complete list
        return Unparsed(index, f"{type(error).__name__}: {error}", digest)
    if len(_LOADED) < MAX_CERTIFICATES:
        _LOADED[digest] = loaded
    return loaded


def _blocks(data: bytes) -> Iterator[pem.Block]:
    return iter([pem.Block("", 1, data)]) if is_der(data) else pem.blocks(data, _LABELS)


def _certificate(loaded: x509.Certificate, der: bytes, digest: str) -> Certificate:
    constraints = _extension(loaded, x509.BasicConstraints)
    usage = _extension(loaded, x509.KeyUsage)
    identifier = _extension(loaded, x509.SubjectKeyIdentifier)
    key = _key(loaded)
    name, issuer = loaded.subject, loaded.issuer  # each time that they are asked for, they are made anew
    subject, by_itself = name.rfc4514_string(), name == issuer
    return Certificate(
        sha256=digest,
        subject=subject,
        issuer=subject if by_itself else issuer.rfc4514_string(),
        not_before=loaded.not_valid_before_utc,
        not_after=loaded.not_valid_after_utc,
        is_ca=constraints.ca if constraints else None,
        is_constraint_critical=_is_critical(loaded, x509.BasicConstraints),
        path_length=constraints.path_length if constraints else None,
        signs_certificates=usage.key_cert_sign if usage else None,
        key_type=key[0],
        key_bits=key[1],
        curve=key[2],
        signature=_signature(loaded),
        self_signed=by_itself and _is_key_its_own(loaded, identifier),
        key_id=identifier.digest.hex() if identifier else "",
        key_sha256=key[3],
        name_hash=_name_hash(der),
    )


def _extension(certificate: x509.Certificate, kind: type[ExtensionTypeVar]) -> ExtensionTypeVar | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _is_critical(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> bool:
    return any(extension.critical for extension in certificate.extensions if isinstance(extension.value, kind))


def _key(certificate: x509.Certificate) -> tuple[str, int, str, str]:
    """Return type, bits, curve and sha256 of the public key; of a kind that cannot be read, its OID alone."""
    try:
        key = certificate.public_key()
    except Exception:  # an unknown curve or algorithm, explicit parameters: the certificate is still one
        return certificate.public_key_algorithm_oid.dotted_string, 0, "", ""
    form = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashlib.sha256(form).hexdigest()
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size, "", digest
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "EC", key.key_size, key.curve.name, digest
    if isinstance(key, dsa.DSAPublicKey):
        return "DSA", key.key_size, "", digest
    return type(key).__name__.removesuffix("PublicKey"), 0, "", digest


def _signature(certificate: x509.Certificate) -> str:
    try:
        algorithm = certificate.signature_hash_algorithm
    except Exception:  # an algorithm that cryptography does not know
        return certificate.signature_algorithm_oid.dotted_string
    return algorithm.name if algorithm else ""


def _name_hash(der: bytes) -> str:
    try:
        return subject_hash(der)
    except DerError:  # an odd name that cryptography reads all the same
        return ""


def _is_key_its_own(certificate: x509.Certificate, identifier: x509.SubjectKeyIdentifier | None) -> bool:
    """Whether the key identifiers do not deny that the certificate is signed with its own key."""
    authority = _extension(certificate, x509.AuthorityKeyIdentifier)
    if not identifier or not authority or authority.key_identifier is None:
        return True
    return authority.key_identifier == identifier.digest
