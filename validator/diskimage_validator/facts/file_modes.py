"""Files whose mode gives somebody rights that he would not have: setuid, setgid, writable by everybody, device nodes.

Modes as in inode(7). File capabilities do the same without any bit in the mode; engines do not read extended
attributes, so those are not seen.
"""

import stat
from collections.abc import Iterator
from typing import Final

from diskimage_validator.engines.base import Stat
from diskimage_validator.facts.scene import Scene
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path

MAX_NAMED: Final = 5_000
PSEUDO: Final = ("/dev", "/proc", "/sys", "/run")
"""Folders that something else is mounted on before the node's first process runs."""
STORAGE: Final = (
    "/var/lib/containers/storage",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/snapd/snap",
)
"""Roots of containers: nobody but root gets there, and their modes mean something to the container only."""

_UNUSUAL: Final = stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH | stat.S_IFCHR
"""One of these bits is in the mode of everything that ``kinds`` names; the last is a part of S_IFBLK as well."""


@dataclass(frozen=True)
class Special:
    """One entry. ``kind``: ``setuid``, ``setgid``, ``world-writable`` or ``device``; ``mode``: the permission bits."""

    path: str
    kind: str
    mode: int
    uid: int
    gid: int


@dataclass(frozen=True)
class FileModes:
    """All such entries of the target: the first MAX_NAMED, with ``count`` as their full number."""

    special: tuple[Special, ...]
    count: int


def read_file_modes(scene: Scene) -> FileModes:
    """Return what stands out in the whole tree, but not below PSEUDO and STORAGE. Raises what ``Scene.tree`` raises."""
    found: list[Special] = []
    count = 0
    skipped = tuple(f"{folder}/" for folder in (*PSEUDO, *STORAGE))
    for path, entry in scene.tree:
        if not entry.mode & _UNUSUAL or path.startswith(skipped):
            continue
        for kind in kinds(entry):
            count += 1
            if len(found) < MAX_NAMED:
                found.append(Special(clean_path(path), kind, stat.S_IMODE(entry.mode), entry.uid, entry.gid))
    return FileModes(tuple(found), count)


def kinds(entry: Stat) -> Iterator[str]:
    """Yield what stands out about an entry. Folders may be setgid, which is harmless; sticky ones may be writable."""
    mode = entry.mode
    if entry.is_file and mode & stat.S_ISUID:
        yield "setuid"
    if entry.is_file and mode & stat.S_ISGID:
        yield "setgid"
    if mode & stat.S_IWOTH and (entry.is_file or (entry.is_dir and not mode & stat.S_ISVTX)):
        yield "world-writable"
    if stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
        yield "device"
