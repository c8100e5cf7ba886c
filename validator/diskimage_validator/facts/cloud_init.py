"""What cloud-init remembers of a machine that it has configured already: here, of one that is not the node.

Where it is kept: cloud-init's documentation of its directory layout. On a new instance cloud-init looks at its own
memory first: with a cached data source and "manual_cache_clean" it configures nothing at all.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.engines.base import Engine, Stat
from diskimage_validator.facts.reading import entries_below
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path

MAX_ENTRIES: Final = 100_000
MAX_NAMED: Final = 1_000
FOLDERS: Final = {
    "/var/lib/cloud/instances": "instance",
    "/var/lib/cloud/data": "instance",
    "/var/lib/cloud/sem": "instance",
    "/var/lib/cloud/seed": "seed",
    "/run/cloud-init": "runtime",
}
"""Folder to kind (see Trace) of the files below it."""
FILES: Final = {
    "/var/log/cloud-init.log": "log",
    "/var/log/cloud-init-output.log": "log",
    "/etc/netplan/50-cloud-init.yaml": "network",
    "/etc/network/interfaces.d/50-cloud-init": "network",
    "/etc/network/interfaces.d/50-cloud-init.cfg": "network",
    "/etc/systemd/network/10-cloud-init-eth0.network": "network",
}
INSTANCE: Final = "/var/lib/cloud/instance"


@dataclass(frozen=True)
class Trace:
    """Something that cloud-init left. ``kind``: ``instance``, ``seed``, ``runtime``, ``log`` or ``network``."""

    path: str
    kind: str


@dataclass(frozen=True)
class CloudInit:
    """The traces: the first MAX_NAMED, with ``count`` as their full number."""

    traces: tuple[Trace, ...]
    count: int


def read_cloud_init(engine: Engine) -> CloudInit:
    """Return what cloud-init has left. Raises FactError if a folder has too many entries."""
    traces = list(_traces(engine))
    return CloudInit(tuple(traces[:MAX_NAMED]), len(traces))


def _traces(engine: Engine) -> Iterator[Trace]:
    if engine.lstat(INSTANCE) is not None:
        yield Trace(INSTANCE, "instance")
    for folder, kind in FOLDERS.items():
        for path, entry in entries_below(engine, folder, MAX_ENTRIES):
            if not entry.is_dir:
                yield Trace(clean_path(path), kind)
    for path, kind in FILES.items():
        if _has_content(engine.lstat(path)):
            yield Trace(path, kind)


def _has_content(entry: Stat | None) -> bool:
    return entry is not None and entry.is_file and entry.size > 0
