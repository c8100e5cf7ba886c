"""What dpkg noted of the files that packages brought.

Like ``dpkg --verify`` this goes by the list of checksums that every package has (dpkg makes it where the package does
not bring it), by the checksums of configuration files in the status file, and by diversions. It knows besides of files
that another package took over, and of files that dpkg was told not to install.
"""

from collections.abc import Iterable
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import EntryNotFoundError
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.brought_files import Brought, Notes
from diskimage_validator.facts.dpkg_filters import is_excluded, read_filters
from diskimage_validator.facts.dpkg_notes import (
    Diversions,
    parse_conffiles,
    parse_diversions,
    parse_list,
    parse_md5sums,
)
from diskimage_validator.facts.packages import DPKG_STATUS, Package
from diskimage_validator.facts.reading import Problem, names_in, read_one
from diskimage_validator.printable import clean_path

INFO: Final = "/var/lib/dpkg/info"
DIVERSIONS: Final = "/var/lib/dpkg/diversions"
MAX_LIST: Final = 32 * 1024 * 1024
"""Bytes of one list; a kernel's has half a MiB."""
MAX_LISTS: Final = 128 * 1024 * 1024
"""Bytes of all lists; a full desktop's have 60 MiB."""
MD5: Final = "md5"


def read_dpkg_files(engine: Engine, database: str, packages: Iterable[Package]) -> Notes:
    """Return what the dpkg whose ``database`` is DPKG_STATUS, or a folder of "distroless", noted of ``packages``.

    Raises FactError for what concerns all packages: diversions, filters and the status file that cannot be read.
    """
    return _Reader(engine, database).read(packages)


class _Reader:
    def __init__(self, engine: Engine, database: str) -> None:
        self._engine = engine
        self._folder = INFO if database == DPKG_STATUS else database
        self._names = frozenset(names_in(engine, self._folder))
        self._conffiles = parse_conffiles(engine.read(DPKG_STATUS)) if database == DPKG_STATUS else {}
        self._diversions = self._read_diversions()
        self._filters = read_filters(engine)
        self._stems: dict[str, str] = {}
        self._owned: dict[str, set[str] | None] = {}
        self._bytes = 0

    def _read_diversions(self) -> Diversions:
        try:
            return parse_diversions(self._engine.read(DIVERSIONS))
        except EntryNotFoundError:
            return {}
        except FactError as error:
            raise FactError(f"{DIVERSIONS}: {error.message}", "the file is damaged") from error

    def read(self, packages: Iterable[Package]) -> Notes:
        notes = Notes(excuse=self._is_excused)
        for package in packages:
            notes.packages += 1
            self._read_package(package, notes)
        return notes

    def _read_package(self, package: Package, notes: Notes) -> None:
        label = f"{package.name}:{package.architecture}"
        stem = self._stem(package, "md5sums")
        self._stems[label] = self._stem(package, "list")
        path = f"{self._folder}/{stem}.md5sums"
        data = self._read_list(path) if f"{stem}.md5sums" in self._names else b""
        try:
            sums = data if isinstance(data, Problem) else parse_md5sums(data)
        except FactError as error:
            sums = Problem(clean_path(path), f"it is damaged: {error.message}")
        if isinstance(sums, Problem):
            notes.problems.append(sums)
            return
        conffiles = self._conffiles.get((package.name, package.architecture), {})
        if not sums and self._has_files(label, conffiles):
            notes.unlisted.append(package.name)
        for file, digest in {**sums, **conffiles}.items():
            place = self._place(package.name, file)
            notes.add(Brought(label, file, place, MD5, digest, configuration=file in conffiles))

    def _stem(self, package: Package, kind: str) -> str:
        """Return what the package's files are called: with its architecture if it may be installed for several."""
        qualified = f"{package.name}:{package.architecture}"
        return qualified if f"{qualified}.{kind}" in self._names else package.name

    def _read_list(self, path: str) -> bytes | Problem:
        data = read_one(self._engine, path, limit=MAX_LIST)
        if data is None:
            return Problem(clean_path(path), "no regular file")
        self._bytes += len(data) if isinstance(data, bytes) else 0
        if self._bytes > MAX_LISTS:
            raise FactError(f"the lists of the packages' files have more than {MAX_LISTS} bytes")
        return data

    def _has_files(self, label: str, conffiles: dict[str, str]) -> bool:
        """Whether a package without checksums has files; where dpkg itself does not know, it may have."""
        owned = self._paths_of(label)
        if owned is None:
            return True
        entries = (self._engine.lstat(path) for path in sorted(owned - conffiles.keys()))
        return any(entry is not None and entry.is_file for entry in entries)

    def _paths_of(self, label: str) -> set[str] | None:
        """Return the paths that belong to a package now; None if the list of them is not there or cannot be read."""
        if label not in self._owned:
            stem = self._stems[label]
            data = self._read_list(f"{self._folder}/{stem}.list") if f"{stem}.list" in self._names else None
            self._owned[label] = parse_list(data) if isinstance(data, bytes) else None
        return self._owned[label]

    def _place(self, name: str, path: str) -> str:
        """Return where the package's file lies: elsewhere, if somebody else keeps its path for himself."""
        place, owner = self._diversions.get(path, (path, name))
        return path if owner == name else place

    def _is_excused(self, file: Brought, missing: bool) -> bool:
        """Whether dpkg did not install the file, or it belongs to another package by now (deb-control(5), Replaces)."""
        if missing and is_excluded(file.path, self._filters):
            return True
        owned = self._paths_of(file.package)
        return bool(owned) and file.path not in (owned or ())
