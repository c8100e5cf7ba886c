"""Where a key comes from: a file, the environment or standard input. Never an argument: ps(1) shows those."""

import os
import sys
from pathlib import Path
from typing import Final

from diskimage_validator.attestation.keys import MAX_SIZE
from diskimage_validator.documents import read_bounded
from diskimage_validator.errors import UsageError

_ENVIRONMENT: Final = "env://"


def read_key(source: str) -> tuple[bytes, str]:
    """Return the PEM text that ``source`` means, and a name for its place. Raises UsageError if there is none."""
    if source == "-":
        return bytes(sys.stdin.buffer.read(MAX_SIZE)), "standard input"
    if source.startswith(_ENVIRONMENT):
        name = source.removeprefix(_ENVIRONMENT)
        text = os.environ.get(name)
        if not text:
            raise UsageError(f"the variable {name} is not set", f"--key {source} reads the key from it")
        return text.encode(), f"the variable {name}"
    return read_bounded(Path(source), MAX_SIZE), source
