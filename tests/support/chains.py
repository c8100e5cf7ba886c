"""Chains of certificates for tests, good and bad in every way, valid at ``pki.NOW``."""

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.pki import NOW, YEAR

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
Validity = tuple[datetime.datetime, datetime.datetime]
VALID = (NOW - YEAR, NOW + YEAR)
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


@cache
def key(name: str, kind: str = "ec") -> Key:
    """Return the key of that name: ``ec``, ``ed25519``, ``rsa1024`` or ``rsa2048``."""
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=int(kind.removeprefix("rsa")))


@dataclass(frozen=True)
class Made:
    """A certificate and its key."""

    cert: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        return self.cert.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.cert.public_bytes(Encoding.DER)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def sha256(self) -> str:
        return self.cert.fingerprint(hashes.SHA256()).hex()


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else [])


def authority(
    common: str,
    issuer: Made | None = None,
    *,
    ca: bool | None = True,
    path_length: int | None = None,
    cert_sign: bool | None = None,
    usage: Sequence[x509.ObjectIdentifier] = (),
    constraints: x509.NameConstraints | None = None,
    valid: Validity = VALID,
    kind: str = "ec",
    key_name: str = "",
    hash_name: str = "sha256",
    identifiers: bool = True,
) -> Made:
    """Return a CA, signed by itself without ``issuer``. None leaves an extension out."""
    own = key(key_name or common, kind)
    builder = _builder(common, own, issuer, valid, identifiers=identifiers)
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length if ca else None), critical=True)
    if cert_sign is not None:
        builder = builder.add_extension(
            x509.KeyUsage(not cert_sign, False, False, False, False, cert_sign, True, False, False), critical=True
        )
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
    if constraints:
        builder = builder.add_extension(constraints, critical=True)
    return _sign(builder, own, issuer, hash_name)


def server(
    issuer: Made | None,
    *names: str,
    usage: Sequence[x509.ObjectIdentifier] = (SERVER,),
    key_usage: x509.KeyUsage | None = None,
    valid: Validity = VALID,
    kind: str = "ec",
    hash_name: str = "sha256",
    identifiers: bool = True,
    as_dns: bool = False,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> Made:
    """Return a server's certificate for ``names``; no subjectAltName without any, then CN ``registry.internal``."""
    own = key("server", kind)
    common = names[0] if names else "registry.internal"
    builder = _builder(common, own, issuer, valid, identifiers=identifiers)
    if names:
        alternatives = x509.SubjectAlternativeName([_general(text, as_dns=as_dns) for text in names])
        builder = builder.add_extension(alternatives, critical=False)
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
    if key_usage:
        builder = builder.add_extension(key_usage, critical=True)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return _sign(builder, own, issuer, hash_name)


def _general(text: str, *, as_dns: bool) -> x509.GeneralName:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return x509.DNSName(text)
    return x509.DNSName(text) if as_dns else x509.IPAddress(address)


def _builder(
    common: str,
    own: Key,
    issuer: Made | None,
    valid: Validity,
    *,
    identifiers: bool,
) -> x509.CertificateBuilder:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common))
        .issuer_name(issuer.cert.subject if issuer else name(common))
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
    )
    if not identifiers:
        return builder
    signer = issuer.key if issuer else own
    return builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False
    ).add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)


def _sign(builder: x509.CertificateBuilder, own: Key, issuer: Made | None, hash_name: str) -> Made:
    signer = issuer.key if issuer else own
    if isinstance(signer, ed25519.Ed25519PrivateKey):
        return Made(builder.sign(signer, None), own)
    return Made(builder.sign(signer, hashes.SHA384() if hash_name == "sha384" else hashes.SHA256()), own)


def signed_with_sha1(made: Made, issuer: Made) -> Made:
    """Return the same certificate with a SHA-1 signature, which the library's builder refuses to make."""
    assert isinstance(issuer.key, rsa.RSAPrivateKey)
    sha256, sha1 = (bytes.fromhex(f"2a864886f70d0101{number}") for number in ("0b", "05"))  # RFC 8017, A.2.4
    signed = made.cert.tbs_certificate_bytes.replace(sha256, sha1)
    signature = issuer.key.sign(signed, padding.PKCS1v15(), hashes.SHA1())
    der = made.der.replace(sha256, sha1).replace(made.cert.signature, signature)
    return Made(x509.load_der_x509_certificate(der), made.key)
