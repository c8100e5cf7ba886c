"""Throw-away certificates for tests: CAs good and bad, and server certificates that they sign."""

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate and its private key."""

    cert: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def cert_pem(self) -> bytes:
        """The certificate as PEM."""
        return self.cert.public_bytes(Encoding.PEM)

    @property
    def cert_der(self) -> bytes:
        """The certificate as DER."""
        return self.cert.public_bytes(Encoding.DER)

    @property
    def key_pem(self) -> bytes:
        """The private key as unencrypted PKCS#8 PEM."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def key_der(self) -> bytes:
        """The private key as unencrypted PKCS#8 DER."""
        return self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    @property
    def sha256(self) -> str:
        """SHA-256 of the certificate's DER, lower-case hex without colons."""
        return self.cert.fingerprint(hashes.SHA256()).hex()


def make_ca(
    name: str,
    not_before: datetime.datetime | None = None,
    not_after: datetime.datetime | None = None,
    *,
    is_ca: bool | None = True,
    issuer: Issued | None = None,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Issued:
    """Make a CA certificate with common name ``name``, signed by ``issuer`` or by itself.

    Valid from yesterday for ten years unless told otherwise (aware datetimes). ``is_ca`` becomes basicConstraints;
    None leaves that extension out. A new P-256 key is made if none is given.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, key, issuer, not_before, not_after)
    if is_ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    builder = builder.add_extension(usage, critical=True)
    return Issued(builder.sign((issuer.key if issuer else key), hashes.SHA256()), key)


def make_server(
    issuer: Issued,
    names: Sequence[str],
    not_before: datetime.datetime | None = None,
    not_after: datetime.datetime | None = None,
) -> Issued:
    """Make a TLS server certificate for ``names``, DNS names or IP addresses, signed by ``issuer``."""
    return _make_leaf(issuer, names, ExtendedKeyUsageOID.SERVER_AUTH, not_before, not_after)


def make_client(
    issuer: Issued,
    name: str,
    not_before: datetime.datetime | None = None,
    not_after: datetime.datetime | None = None,
) -> Issued:
    """Make a certificate that a TLS client of this name shows to a server, signed by ``issuer``."""
    return _make_leaf(issuer, [name], ExtendedKeyUsageOID.CLIENT_AUTH, not_before, not_after)


def _make_leaf(
    issuer: Issued,
    names: Sequence[str],
    usage: x509.ObjectIdentifier,
    not_before: datetime.datetime | None = None,
    not_after: datetime.datetime | None = None,
) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
    builder = (
        _builder(names[0], key, issuer, not_before, not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(alternatives, critical=False)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    )
    return Issued(builder.sign(issuer.key, hashes.SHA256()), key)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: Issued | None,
    not_before: datetime.datetime | None,
    not_after: datetime.datetime | None,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    signer = issuer.key if issuer else key
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.cert.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before or now - DAY)
        .not_valid_after(not_after or now + 3650 * DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
