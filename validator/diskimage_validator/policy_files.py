"""The files that a policy or the command line names: read with a limit, and CAs out of them."""

from pathlib import Path
from typing import Final

from diskimage_validator.certificates import holds_private_key, parse_certificates
from diskimage_validator.errors import UsageError
from diskimage_validator.policy_model import TrustedCa

MAX_FILE_SIZE: Final = 256 * 1024


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
