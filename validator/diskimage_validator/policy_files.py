"""The files that a policy or the command line names: read with a limit, and CAs out of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from diskimage_validator.certificates import der_blocks, holds_private_key, is_der, parse_certificates
from diskimage_validator.consumers import SYSTEM
from diskimage_validator.endpoints import Address, Endpoint
from diskimage_validator.errors import UsageError
from diskimage_validator.policy_model import TrustedCa

MAX_FILE_SIZE: Final = 256 * 1024
MAX_CHAIN: Final = 20


def read_file(path: Path, what: str) -> bytes:
    """Return the content of a file of this host. Raises UsageError, which calls it ``what``."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_SIZE + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise UsageError(f"cannot read {what} {path}: {getattr(error, 'strerror', '') or error}") from error
    if len(data) > MAX_FILE_SIZE:
        raise UsageError(f"{what} {path} is larger than {MAX_FILE_SIZE // 1024} KiB", "is this the right file?")
    return data


def read_cas(path: Path, source: str) -> list[TrustedCa]:
    """Return the CAs in a PEM or DER file of this host; ``source`` says who named it. Raises UsageError."""
    data = read_file(path, "CA file")
    parsed = parse_certificates(data)
    if holds_private_key(data):
        raise UsageError(f"CA file {path} holds a private key", "give only the certificate, and keep the key safe")
    if parsed.unparsed:
        bad = parsed.unparsed[0]
        raise UsageError(f"CA file {path}: certificate {bad.index} cannot be parsed: {bad.reason}")
    if not parsed.certificates:
        raise UsageError(f"CA file {path} holds no certificate", "PEM blocks or one DER certificate are wanted")
    return [TrustedCa(certificate.sha256, certificate.subject, source) for certificate in parsed.certificates]


def read_chain(path: Path) -> tuple[bytes, ...]:
    """Return the DER form of the certificates in a PEM file of this host, the server's first. Raises UsageError."""
    return parse_chain(read_file(path, "chain"), f"chain {path}")


def parse_chain(data: bytes, name: str) -> tuple[bytes, ...]:
    """Return the DER form of the certificates in PEM text, the server's first.

    Text between them, such as ``openssl s_client -showcerts`` prints, and repetitions are passed over. Raises
    UsageError with a message that begins with ``name``.
    """
    parsed = parse_certificates(data)
    if holds_private_key(data):
        raise UsageError(f"{name} holds a private key", "give only certificates, and keep the key safe")
    if parsed.unparsed:
        bad = parsed.unparsed[0]
        raise UsageError(f"{name}: certificate {bad.index} cannot be parsed: {bad.reason}")
    if not parsed.certificates or is_der(data):
        raise UsageError(f"{name} holds no certificate in PEM form", "diskimage-validator fetch-chain NAME:PORT")
    if len(parsed.certificates) > MAX_CHAIN:
        raise UsageError(f"{name} has more than {MAX_CHAIN} certificates", "give what the endpoint presents")
    is_ca = [certificate.is_ca for certificate in parsed.certificates]
    if is_ca[0] and not all(is_ca):
        raise UsageError(f"{name} begins with a CA", "put the server's own certificate first")
    return tuple(dict.fromkeys(der_blocks(data)))


def read_endpoint(address: Address, chain: str, consumers: Sequence[str] = (), *, strict: bool = False) -> Endpoint:
    """Return an endpoint whose chain is in the file ``chain``. Raises UsageError."""
    return Endpoint(address, read_chain(Path(chain)), tuple(consumers) or (SYSTEM,), strict, chain)
