"""What a client of mutual TLS shows."""

import os
import ssl
from pathlib import Path

from diskimage_validator.errors import UsageError
from diskimage_validator.policy_files import read_file
from diskimage_validator.readiness.secret import Secret


def load_client(context: ssl.SSLContext, certificate: str, key: Secret, folder: Path) -> None:
    """Load a client's certificate (a PEM file, relative to ``folder``) and key. Raises UsageError for bad files.

    OpenSSL takes them from a file only: it is one in memory that has no name.
    """
    content = read_file(folder / certificate, "client certificate") + b"\n" + key.read(folder)
    descriptor = os.memfd_create("client", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        reason = error.reason if isinstance(error, ssl.SSLError) and error.reason else "they cannot be used"
        hint = "a PEM certificate and its PEM key are wanted, without a passphrase"
        raise UsageError(f"client certificate {certificate} and key {key}: {reason}", hint) from error
    finally:
        os.close(descriptor)


def _no_password() -> str:
    """Keep OpenSSL from asking at the terminal."""
    return ""
