"""Small files of one folder by one command, once several of them were asked for.

Certificates and units come by the hundred. Read one by one each takes three round trips, and on an emulated processor
as much of the node's time as reading all of them at once: they are what a boot engine's reading consists of.
"""

import posixpath
from collections import Counter
from collections.abc import Callable
from typing import Final

from diskimage_validator.engines.ssh.shell import Shell
from diskimage_validator.engines.ssh.tree import Tree
from diskimage_validator.errors import EngineError, PermissionDeniedError

ALONE: Final = 3
"""Files of a folder that are read one by one."""
SMALL: Final = 64 * 1024
"""Bytes; larger files are read by themselves."""
MOST: Final = 4 * 1024 * 1024
"""Bytes of one folder. More, and the others are not worth waiting for."""
MOST_FOLDERS: Final = 16
LONGEST: Final = 64 * 1024
"""Characters of a command; Linux takes 128 KiB in one argument, 2 MiB in all (execve(2))."""
TIMEOUT: Final = 60.0
WORLD_READABLE: Final = 0o004
"""What is not for everybody is read only if somebody asks for that very file."""


class Around:
    """Contents of the files around those that were read."""

    def __init__(self) -> None:
        self._reads: Counter[str] = Counter()
        self._contents: dict[str, dict[str, bytes]] = {}

    def content(self, path: str, tree: Tree, shell: Callable[[], Shell]) -> bytes | None:
        """Return the file at ``path`` of a node with these files, or None: then it has to be read by itself."""
        folder = posixpath.dirname(path)
        if folder not in self._contents:
            self._reads[folder] += 1
            if self._reads[folder] <= ALONE or len(self._contents) == MOST_FOLDERS:
                return None
            self._contents[folder] = _read(folder, tree, shell)
        return self._contents[folder].get(path)


def _read(folder: str, tree: Tree, shell: Callable[[], Shell]) -> dict[str, bytes]:
    """Return the contents of the small files in ``folder``; none if the node says anything but what was asked for."""
    sizes = {
        path: entry.size
        for path in (posixpath.join(folder, name) for name in tree.names.get(folder, ()))
        if (entry := tree.entries[path]).is_file and 0 < entry.size <= SMALL and entry.mode & WORLD_READABLE
    }
    total = sum(sizes.values())
    if not sizes or total > MOST or sum(map(len, sizes)) > LONGEST:
        return {}
    try:
        status, output, _ = shell().run(["cat", "--", *sizes], timeout=TIMEOUT, limit=total)
    except (EngineError, PermissionDeniedError):
        return {}
    if status != 0 or len(output) != total:  # one of them changed
        return {}
    found, begin = {}, 0
    for path, size in sizes.items():
        found[path] = output[begin : begin + size]
        begin += size
    return found
