"""Which packages RPM knows, whichever of its three database formats they are in.

The file is copied out of the target and read here, in the same way for every engine. The programs that could be asked
instead read it in ways of their own: Debian's librpm finds no package in SUSE's format, without an error.
"""

import mmap
import posixpath
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts import rpm_bdb, rpm_ndb, rpm_sqlite
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.rpm_data import Data, Headers
from diskimage_validator.facts.rpm_header import (
    ARCH,
    DISTRIBUTION,
    INSTALL_TIME,
    NAME,
    PACKAGER,
    SUMMARY,
    VENDOR,
    Header,
)
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path
from diskimage_validator.temporary import TemporaryFolder

FOLDERS: Final = ("/usr/lib/sysimage/rpm", "/var/lib/rpm")
"""Where distributions have it today, and where it was and often is still a link."""
MAX_DATABASE: Final = 512 * 1024 * 1024
MAX_PACKAGES: Final = 100_000
PUBLIC_KEY: Final = "gpg-pubkey"
_SECTION: Final = 8 * 1024 * 1024


@dataclass(frozen=True)
class RpmOrigin:
    """Where a package says that it comes from, and when it was installed. What it leaves out is empty.

    ``signing_key``: the id, 16 hex digits, of the key that it is signed with; ``unknown`` if the signature does not
    tell; empty if it is not signed. ``install_time``: seconds since 1970 (UTC), or None.
    """

    vendor: str
    packager: str
    distribution: str
    signing_key: str
    install_time: int | None


@dataclass(frozen=True)
class RpmPackage:
    """One package. ``version`` is ``[epoch:]version-release``."""

    name: str
    version: str
    architecture: str
    origin: RpmOrigin


@dataclass(frozen=True)
class RpmKey:
    """A public key that was imported for signatures. ``id`` as RPM calls it: the last 8 hex digits, or all."""

    id: str
    owner: str


@dataclass(frozen=True)
class RpmDatabase:
    """What the database at ``path`` holds, in the order in which it was installed."""

    path: str
    packages: tuple[RpmPackage, ...]
    keys: tuple[RpmKey, ...]


def find_rpm_database(engine: Engine) -> str | None:
    """Return the path of the target's RPM database, in one of FOLDERS; None if it has none.

    Raises FactError if there are several: which of them RPM would use is a matter of its configuration.
    """
    paths = [f"{folder}/{file}" for folder in FOLDERS for file in _FORMATS]
    found = {engine.resolve(path): path for path in paths if engine.exists(path)}
    if len(found) > 1:
        hint = "remove those that RPM does not use: see 'rpm --eval %_dbpath' and 'rpm --eval %_db_backend'"
        raise FactError(f"several RPM databases: {' and '.join(sorted(found.values()))}", hint)
    return next(iter(found.values()), None)


def read_rpm_database(engine: Engine, path: str) -> RpmDatabase:
    """Return what the database at ``path``, found by ``find_rpm_database``, holds.

    Raises FactError if it is damaged, too large, or lists no package; keys alone are no packages.
    """
    with read_headers(engine, path) as headers:
        found = _collect(headers, path)
    if not found.packages:
        raise FactError(f"{path} lists no installed package", "the database is empty or damaged")
    return found


@contextmanager
def read_headers(engine: Engine, path: str) -> Iterator[Iterator[Header]]:
    """Give the headers of the database at ``path`` one after the other, as long as this lasts.

    Raises FactError, with the path, for what is wrong with the database, or what is said to be wrong with a header.
    """
    read = _FORMATS[posixpath.basename(path)]
    try:
        with (
            TemporaryFolder() as folder,
            closing(read(engine, engine.resolve(path), folder.path)) as blobs,
        ):
            yield _bounded(blobs)
    except FactError as error:
        raise FactError(f"{path}: {error.message}", error.hint or "the package database is damaged") from error


def _bounded(blobs: Headers) -> Iterator[Header]:
    size = 0
    for count, blob in enumerate(blobs):
        size += len(blob)
        if count == MAX_PACKAGES or size > MAX_DATABASE:
            raise FactError(f"more than {MAX_PACKAGES} packages, or {MAX_DATABASE} bytes of them")
        yield Header(blob)


def _collect(headers: Iterable[Header], path: str) -> RpmDatabase:
    packages: list[RpmPackage] = []
    keys: list[RpmKey] = []
    for header in headers:
        name = header.text(NAME)
        if not name:
            raise FactError("a package without a name")
        if name == PUBLIC_KEY:
            keys.append(RpmKey(header.full_version.partition("-")[0], header.text(PACKAGER) or header.text(SUMMARY)))
        else:
            packages.append(_package(name, header))
    return RpmDatabase(path, tuple(packages), tuple(keys))


def _package(name: str, header: Header) -> RpmPackage:
    origin = RpmOrigin(
        vendor=header.text(VENDOR),
        packager=header.text(PACKAGER),
        distribution=header.text(DISTRIBUTION),
        signing_key=header.signing_key,
        install_time=header.number(INSTALL_TIME),
    )
    return RpmPackage(name, header.full_version, header.text(ARCH), origin)


def _read_sqlite(engine: Engine, path: str, folder: Path) -> Headers:
    """Copy the database and its write-ahead log, which holds what was not yet put into it, and read the copy.

    A rollback journal is not copied: it may name any file of the host, which SQLite would then open and delete.
    """
    journal = engine.stat(f"{path}-journal")
    if journal is not None and journal.size:
        raise FactError("a transaction of RPM was interrupted", "run 'rpm -qa' on the system, which completes it")
    copy = _copy(engine, path, folder / "rpmdb.sqlite")
    log = engine.stat(f"{path}-wal")
    if log is not None and log.size:
        _copy(engine, f"{path}-wal", folder / "rpmdb.sqlite-wal")
    return rpm_sqlite.headers(copy)


def _read_mapped(parse: Callable[[Data], Headers]) -> Callable[[Engine, str, Path], Headers]:
    def read(engine: Engine, path: str, folder: Path) -> Headers:
        copy = _copy(engine, path, folder / "database")
        if not copy.stat().st_size:
            raise FactError("the file is empty")
        with copy.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield from parse(data)

    return read


def _copy(engine: Engine, path: str, copy: Path) -> Path:
    """Copy a regular file of the target in sections, so that its size does not matter for memory."""
    entry = engine.stat(path)
    if entry is None or not entry.is_file:
        raise FactError(f"{clean_path(path)} is no regular file")
    if entry.size > MAX_DATABASE:
        raise FactError(f"{entry.size} bytes, more than the {MAX_DATABASE} that are read")
    with copy.open("wb") as file:
        for offset in range(0, entry.size, _SECTION):
            file.write(engine.read(path, offset=offset, limit=_SECTION, whole=False))
    return copy


_FORMATS: Final[dict[str, Callable[[Engine, str, Path], Headers]]] = {
    "rpmdb.sqlite": _read_sqlite,
    "Packages.db": _read_mapped(rpm_ndb.headers),
    "Packages": _read_mapped(rpm_bdb.headers),
}
"""How the headers come out of a database, by the name of its file."""
