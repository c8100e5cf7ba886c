"""Digests of files that an appliance has mounted, made there: a gigabyte does not go through its protocol.

libguestfs' ``checksum`` is a call for every file, and its Python binding takes no name that is not UTF-8. Some thousand
files at a time take the time that the appliance needs to read them.
"""

from collections.abc import Sequence
from typing import Any, Final

from diskimage_validator.engines import appliance_shell, checksums
from diskimage_validator.engines.listing import SYSROOT

LONGEST: Final = 96 * 1024
"""Characters of the names in one call: Linux takes 128 KiB in one argument (execve(2))."""
MAX_BYTES: Final = 32 * 1024 * 1024
"""Bytes of an answer; a file has about 100."""
TIMEOUT: Final = 1800
"""Seconds that one call may take."""
FILE: Final = "/tmp/diskimage-validator-digests"  # noqa: S108 - in the appliance, where nobody else is


def fetch_digests(handle: Any, paths: Sequence[str], algorithm: str) -> dict[str, str]:
    """Return path to digest of the regular files at ``paths``, which are real. What could not be told is left out."""
    found: dict[str, str] = {}
    sums = f"timeout {TIMEOUT} {checksums.command(algorithm)}"
    for word in checksums.packed([SYSROOT + path for path in paths], LONGEST):
        made = f"printf %s {word} | base64 -d | gzip -dc | {sums} 2>/dev/null | gzip -1 >{FILE}"
        content = appliance_shell.fetch(handle, FILE, limit=MAX_BYTES, after=made)
        if content is not None:
            told = checksums.parse(content, algorithm)
            found |= {path.removeprefix(SYSROOT): digest for path, digest in told.items()}
    return found
