"""What a build's work has left in space: package caches, temporary files, logs."""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.reading import Sized, entries_below, home_folders
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path

CACHES: Final = (
    "/var/cache/apt",
    "/var/lib/apt/lists",
    "/var/cache/dnf",
    "/var/cache/libdnf5",
    "/var/cache/yum",
    "/var/cache/zypp",
    "/var/cache/PackageKit",
)
HOME_CACHES: Final = (".cache", ".npm", ".yarn", ".cargo/registry", "go/pkg")
TEMPORARY: Final = ("/tmp", "/var/tmp")  # noqa: S108 - folders of the image
LOGS: Final = "/var/log"
DIB_HOOKS: Final = "/tmp/in_target.d"  # noqa: S108 - a folder of the image
MAX_ENTRIES: Final = 500_000
MAX_NAMED: Final = 1_000


@dataclass(frozen=True)
class Area:
    """A cache that is there: its folder, the number of files and their size in bytes."""

    path: str
    files: int
    size: int


@dataclass(frozen=True)
class Usage:
    """Space that a build has left in use.

    ``temporary`` are the files in the TEMPORARY folders, and ``logs`` the files below /var/log that are not empty: the
    first MAX_NAMED of each, with ``temporary_count`` and ``log_count`` as their full number.
    """

    caches: tuple[Area, ...]
    temporary: tuple[str, ...]
    temporary_count: int
    logs: tuple[Sized, ...]
    log_count: int


def read_usage(engine: Engine) -> Usage:
    """Return what is in caches, temporary folders and logs. Raises FactError if one of them has too many entries."""
    homes = [f"{home}/{folder}" for home in home_folders(engine) for folder in HOME_CACHES]
    areas = [_area(engine, path) for path in (*CACHES, *homes)]
    temporary = [clean_path(path) for folder in TEMPORARY for path in _temporary(engine, folder)]
    logs = [
        Sized(clean_path(path), entry.size)
        for path, entry in entries_below(engine, LOGS, MAX_ENTRIES)
        if entry.is_file and entry.size
    ]
    logs.sort(key=lambda log: -log.size)
    return Usage(
        caches=tuple(area for area in areas if area.files),
        temporary=tuple(temporary[:MAX_NAMED]),
        temporary_count=len(temporary),
        logs=tuple(logs[:MAX_NAMED]),
        log_count=len(logs),
    )


def _area(engine: Engine, folder: str) -> Area:
    files = [entry.size for _, entry in entries_below(engine, folder, MAX_ENTRIES) if entry.is_file]
    return Area(clean_path(folder), len(files), sum(files))


def _temporary(engine: Engine, folder: str) -> Iterator[str]:
    """Yield what is not a folder; diskimage-builder's hooks are a leftover of their own (see Leftovers)."""
    for path, entry in entries_below(engine, folder, MAX_ENTRIES):
        if not entry.is_dir and not f"{path}/".startswith(f"{DIB_HOOKS}/"):
            yield path
