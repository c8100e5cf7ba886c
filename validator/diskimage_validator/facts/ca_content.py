"""What one file with CAs holds: DER forms by trust, blocks that are damaged, private keys. And how PEM files say it."""

from dataclasses import field
from typing import Final

from diskimage_validator import der, pem
from diskimage_validator.certificates import MAX_CERTIFICATES, Unparsed, is_der
from diskimage_validator.frozen import dataclass

TRUSTED: Final = "trusted"
DISTRUSTED: Final = "distrusted"
UNKNOWN: Final = "unknown"
_TRUSTED_LABEL: Final = "TRUSTED CERTIFICATE"
_LABELS: Final = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE", _TRUSTED_LABEL.encode()})
_SERVER_AUTH: Final = bytes.fromhex("2b06010505070301")
_ANY_PURPOSE: Final = bytes.fromhex("551d2500")
_REJECT: Final = 0xA0


@dataclass
class Content:
    """Certificates as (trust, DER form) in order; ``keys`` as (line or 0, kind)."""

    certificates: list[tuple[str, bytes]] = field(default_factory=list)
    unparsed: list[Unparsed] = field(default_factory=list)
    keys: list[tuple[int, str]] = field(default_factory=list)


def parse_pem(data: bytes) -> Content:
    """Return what a file of PEM blocks, or of a single DER certificate, holds. Never raises for bad input.

    ``BEGIN TRUSTED CERTIFICATE`` is OpenSSL's form with trust settings behind the certificate (openssl-x509(1),
    "trusted certificate"): one that rejects TLS servers is distrusted, and so is one that lists purposes without
    them.
    """
    content = Content(keys=pem.private_keys(data))
    if is_der(data):
        content.certificates.append((TRUSTED, data))
        return content
    for index, block in enumerate(pem.blocks(data, _LABELS), start=1):
        if index > MAX_CERTIFICATES:
            content.unparsed.append(Unparsed(index, f"more than {MAX_CERTIFICATES} blocks: the rest was not read"))
            break
        if block.fault:
            content.unparsed.append(Unparsed(index, block.fault))
        elif block.label == _TRUSTED_LABEL:
            _add_with_settings(content, index, block.der)
        else:
            content.certificates.append((TRUSTED, block.der))
    return content


def _add_with_settings(content: Content, index: int, data: bytes) -> None:
    try:
        certificate = der.first(data)
        settings = data[certificate.size :]
        content.certificates.append((_trust(settings), data[: certificate.size]))
    except der.DerError as error:
        content.unparsed.append(Unparsed(index, str(error)))


def _trust(settings: bytes) -> str:
    """Return what X509_CERT_AUX (OpenSSL, include/openssl/x509.h.in) says about TLS servers. Raises DerError."""
    purposes: set[bytes] | None = None
    rejected: set[bytes] = set()
    for part in der.elements(der.first(settings).content) if settings else ():
        if part.tag == der.SEQUENCE:
            purposes = {purpose.content for purpose in der.elements(part.content)}
        elif part.tag == _REJECT:
            rejected = {purpose.content for purpose in der.elements(part.content)}
    wanted = {_SERVER_AUTH, _ANY_PURPOSE}
    if wanted & rejected or (purposes is not None and not wanted & purposes):
        return DISTRUSTED
    return TRUSTED
