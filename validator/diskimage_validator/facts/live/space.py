"""How much room there is: under the storage of containers, and on the disk that the root file system is on.

Sources: df(1) in POSIX's form, which counts as free what a user other than root can have; lsblk(8), which follows a
file system down to its disk through partitions and LVM.
"""

from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.live.asking import TIMEOUT, ask
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import printable

STORAGES: Final = ("/var/lib/containers", "/var/lib/docker")
"""Where podman and docker keep images unless told otherwise."""
_FIELDS: Final = 6


@dataclass(frozen=True)
class Space:
    """The file system that ``path`` is on (or would be), mounted at ``mountpoint``. Sizes in bytes."""

    path: str
    mountpoint: str
    source: str
    size: int
    free: int


@dataclass(frozen=True)
class LiveSpace:
    """``disk``: size in bytes of the disk that the root is on, None if that cannot be told; ``spaces`` by path."""

    disk: int | None
    root: Space
    spaces: tuple[Space, ...]


def read_live_space(engine: Engine) -> LiveSpace | None:
    """Return the space under the root and under each of STORAGES that is there."""
    if not engine.live:
        return None
    root = space_at(engine, "/")
    spaces = tuple(space_at(engine, path) for path in STORAGES if engine.exists(path))
    return LiveSpace(_disk(engine, root.source), root, spaces)


def space_at(engine: Engine, path: str, timeout: float = TIMEOUT) -> Space:
    """Return the room at ``path`` of a running system, within ``timeout`` seconds.

    Raises FactError if df(1) does not tell, EngineError if it does not end, as on a network file system that hangs.
    """
    lines = ask(engine, ["df", "-P", "-k", "--", path], timeout=timeout).splitlines()
    # A mount point may hold spaces; the source of a network file system may, too, but then nothing here is certain.
    fields = lines[-1].split(None, _FIELDS - 1) if len(lines) > 1 else []
    if len(fields) != _FIELDS or not all(field.isascii() and field.isdigit() for field in fields[1:4]):
        hint = "is that df one that knows POSIX's -P and -k?"
        raise FactError(f"df on the node: no answer that is understood for {path}", hint)
    return Space(path, printable(fields[5]), printable(fields[0]), int(fields[1]) * 1024, int(fields[3]) * 1024)


def _disk(engine: Engine, source: str) -> int | None:
    if not source.startswith("/dev/"):
        return None
    done = engine.run(["lsblk", "-b", "-n", "-r", "-s", "-o", "TYPE,SIZE", "--", source], timeout=30)
    disks = {
        line.split()[1] for line in done.stdout.splitlines() if line.startswith("disk ") and len(line.split()) == 2
    }
    size = disks.pop() if len(disks) == 1 else ""
    return int(size) if size.isascii() and size.isdigit() else None
