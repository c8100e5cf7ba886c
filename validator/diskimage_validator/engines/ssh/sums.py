"""Digests of files of a node, made there by its own coreutils: the files do not go over the network.

A node that has no shell, or other tools, answers nothing, and is not asked again: the files are read, then. Whoever
owns a file may change it while it is read, on a node as anywhere; what is told is a digest and nothing else.
"""

from collections.abc import Callable, Sequence
from typing import Final

from diskimage_validator.engines import checksums
from diskimage_validator.engines.ssh.shell import Shell
from diskimage_validator.errors import EngineError, PermissionDeniedError
from diskimage_validator.printable import printable

TIMEOUT: Final = 600.0
"""Seconds that the files of one question may take."""
LONGER: Final = 200
"""Bytes of a line of the answer besides the name: a digest, and more than what separates them."""


class Sums:
    """What a node tells of digests."""

    def __init__(self) -> None:
        self.reason = ""
        """Why it tells none."""

    def of(self, paths: Sequence[str], algorithm: str, shell: Callable[[], Shell]) -> dict[str, str]:
        """Return path to digest of the regular files at ``paths``, which are real; what it tells of them."""
        if self.reason or not paths:
            return {}
        stdin = checksums.encode(paths)
        limit = len(stdin) + LONGER * len(paths)
        try:
            command = ["sh", "-c", f"base64 -d | {checksums.command(algorithm)}"]
            _, output, errors = shell().run(command, timeout=TIMEOUT, limit=limit, stdin=stdin)
        except (EngineError, PermissionDeniedError) as error:
            self.reason = error.message
            return {}
        found = checksums.parse(output, algorithm)
        known = set(paths)
        if not found and b"Permission denied" not in errors:
            self.reason = printable(errors.decode("utf-8", "replace").strip(), 200) or "no digests"
        return {path: digest for path, digest in found.items() if path in known}
