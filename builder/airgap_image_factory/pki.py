"""A throw-away certificate authority, for trying things out without the organisation's own.

It is named so that nobody takes it for a real one, lives for 90 days, and its key stays in the build folder.
"""

import datetime
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME: Final = "THROW-AWAY test CA of airgap-image-factory, do not trust"
LIFETIME: Final = datetime.timedelta(days=90)
MARGIN: Final = datetime.timedelta(days=37)
"""A CA with less time left than this is replaced: the shipped policies ask for 30 days, and images last for a week."""


@dataclass(frozen=True)
class Authority:
    """Paths of a CA's certificate (PEM) and private key (PKCS#8 PEM, mode 0600)."""

    certificate: Path
    key: Path


def throw_away_authority(folder: Path) -> Authority:
    """Return the throw-away CA in ``folder``; make it if there is none, or if the one there expires too soon."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority(folder / "throw-away-ca.pem", folder / "throw-away-ca.key")
    if not _usable(authority):
        _make(authority)
    return authority


def _usable(authority: Authority) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return left > MARGIN and authority.key.is_file()


def _make(authority: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # An hour of grace for nodes whose clock is behind.
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_certificate_signing(), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(authority.key, private, 0o600)
    _write(authority.certificate, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _certificate_signing() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file that never exists with wider rights than ``mode``."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    temporary.replace(path)
