"""Credentials of HTTP, out of secrets."""

import base64

from diskimage_validator.errors import UsageError
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.readiness.secret import Secret


def bearer(token: Secret, means: Means) -> str:
    """Return the value of the header Authorization for a token (RFC 6750). Raises UsageError if it cannot be read."""
    return f"Bearer {_line(token, means)}"


def basic(user: str, password: Secret, means: Means) -> str:
    """Return the value of the header Authorization for a user (RFC 7617). Raises UsageError if it cannot be read."""
    return f"Basic {base64.b64encode(f'{user}:{_line(password, means)}'.encode()).decode()}"


def _line(secret: Secret, means: Means) -> str:
    text = secret.line(means.folder)
    if not text.isascii() or not text.isprintable():
        raise UsageError(f"{secret}: printable ASCII characters are wanted", "is this the right secret?")
    return text
