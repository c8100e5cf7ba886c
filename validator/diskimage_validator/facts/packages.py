"""Which packages are installed, by dpkg's database or RPM's. A database that lists none is an error."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import EntryNotFoundError
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.rpm_database import FOLDERS, RpmKey, RpmOrigin, find_rpm_database, read_rpm_database
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import decode

DPKG_STATUS: Final = "/var/lib/dpkg/status"
DPKG_ARCHITECTURES: Final = "/var/lib/dpkg/arch"
DPKG_STATUS_FOLDER: Final = "/var/lib/dpkg/status.d"
MAX_PACKAGES: Final = 100_000
INSTALLED: Final = "installed"
_FIELDS: Final = ("Package", "Version", "Architecture", "Status")
_LINE: Final = re.compile(r"[ \t#]|[!-,.-9;-~][!-9;-~]*:|$", re.ASCII)
_MAX_LINE: Final = 4096


@dataclass(frozen=True)
class Package:
    """One package that the package manager knows.

    The words of dpkg's Status: ``selection`` is what was wanted (``install``, ``hold``, ``deinstall``, ``purge``),
    ``flag`` is ``ok`` or ``reinstreq``, ``state`` is ``installed``, ``config-files``, ``half-installed``, ... RPM knows
    installed packages only; ``rpm`` is what else it says of one.
    """

    name: str
    version: str
    architecture: str
    state: str = INSTALLED
    flag: str = "ok"
    selection: str = "install"
    rpm: RpmOrigin | None = None

    @property
    def is_installed(self) -> bool:
        """Whether the package is there and configured."""
        return self.state == INSTALLED


@dataclass(frozen=True)
class Packages:
    """All packages that the manager (``dpkg`` or ``rpm``) knows, installed or not, in its order.

    ``path`` is its database; ``keys`` are the public keys that RPM has in there too; ``architectures`` are those that
    dpkg may install: the image's own, then what ``--add-architecture`` added; empty if there was never one added.
    """

    manager: str
    path: str
    all: tuple[Package, ...]
    keys: tuple[RpmKey, ...] = ()
    architectures: tuple[str, ...] = ()

    def named(self, name: str) -> list[Package]:
        """Return the packages called ``name``: several under multi-arch, installed ones first."""
        return sorted((package for package in self.all if package.name == name), key=lambda p: not p.is_installed)

    @property
    def present(self) -> list[Package]:
        """The packages that have files in the target: the installed ones, and those that are so in part."""
        return [package for package in self.all if package.state not in ("config-files", "not-installed")]

    @property
    def installed(self) -> list[Package]:
        """The installed packages."""
        return [package for package in self.all if package.is_installed]


def read_packages(engine: Engine, family: str) -> Packages:
    """Return the packages of a target whose OS family is ``family`` (see OsRelease; empty if unknown).

    Raises FactError if there is no package database, or several that could be meant; if it cannot be parsed, or lists
    nothing installed. Both managers on one system are no doubt: the family says whose it is, dpkg if it is unknown.
    """
    if family in ("rhel", "suse") or (family != "debian" and not _has_dpkg(engine)):
        return _read_rpm(engine)
    packages = _read_status(engine) or _read_status_folder(engine)
    if packages is None:
        raise FactError("no package database", f"neither {DPKG_STATUS} nor {DPKG_STATUS_FOLDER} is there")
    if not packages.installed:
        raise FactError(f"{packages.path} lists no installed package", "the database is empty or damaged")
    return packages


def _has_dpkg(engine: Engine) -> bool:
    return engine.exists(DPKG_STATUS) or engine.exists(DPKG_STATUS_FOLDER)


def _read_rpm(engine: Engine) -> Packages:
    path = find_rpm_database(engine)
    if path is None:
        raise FactError("no package database", f"neither {DPKG_STATUS} nor one of RPM in {' or '.join(FOLDERS)}")
    found = read_rpm_database(engine, path)
    packages = (Package(one.name, one.version, one.architecture, rpm=one.origin) for one in found.packages)
    return Packages("rpm", path, tuple(packages), keys=found.keys)


def _read_status(engine: Engine) -> Packages | None:
    try:
        data = engine.read(DPKG_STATUS)
    except EntryNotFoundError:
        return None
    return Packages("dpkg", DPKG_STATUS, parse_status(data, DPKG_STATUS), architectures=_architectures(engine))


def _architectures(engine: Engine) -> tuple[str, ...]:
    try:
        text = decode(engine.read(DPKG_ARCHITECTURES, limit=4096))
    except EntryNotFoundError:
        return ()
    return tuple(text.split())


def _read_status_folder(engine: Engine) -> Packages | None:
    """Read a "distroless" database: a file per package, without Status, because it is there and that is all."""
    try:
        names = engine.listdir(DPKG_STATUS_FOLDER)
    except EntryNotFoundError:
        return None
    found: list[Package] = []
    for name in names[:MAX_PACKAGES]:
        path = f"{DPKG_STATUS_FOLDER}/{name}"
        if not name.endswith(".md5sums"):
            found += parse_status(engine.read(path, limit=1024 * 1024), path, needs_status=False)
    return Packages("dpkg", DPKG_STATUS_FOLDER, tuple(found))


def parse_status(data: bytes, path: str, *, needs_status: bool = True) -> tuple[Package, ...]:
    """Return the packages in ``data``, the content of dpkg's ``path``.

    Raises FactError for a line that is not in the format, a paragraph without its fields, or too many packages.
    """
    packages: list[Package] = []
    for paragraph in _paragraphs(decode(data).split("\n"), path):
        if len(packages) == MAX_PACKAGES:
            raise FactError(f"{path} has more than {MAX_PACKAGES} packages")
        packages.append(_package(paragraph, path, needs_status))
    return tuple(packages)


def _paragraphs(lines: Iterable[str], path: str) -> Iterator[dict[str, str]]:
    """Yield the fields that we read, of every paragraph (deb822(5)); refuse what dpkg would not have written.

    A long line is none of ours. A paragraph without any of our fields still has to show up.
    """
    fields: dict[str, str] = {}
    inside = False
    for number, line in enumerate(lines, start=1):
        if not _LINE.match(line):
            raise FactError(f"{path} line {number} is no field: '{line[:80]}'", "the file is damaged")
        if line:
            inside = True
            name, _, value = line.partition(":")
            if name in _FIELDS and len(line) <= _MAX_LINE:
                fields[name] = value.strip()
        elif inside:
            yield fields
            fields, inside = {}, False
    if inside:
        yield fields


def _package(paragraph: dict[str, str], path: str, needs_status: bool) -> Package:
    name = paragraph.get("Package", "")
    status = paragraph.get("Status", "" if needs_status else f"install ok {INSTALLED}").split()
    if not name or len(status) != 3:
        raise FactError(f"{path} has a package without name or status: '{name}'", "the file is damaged or cut off")
    selection, flag, state = status
    version = paragraph.get("Version", "")
    if state == INSTALLED and not version:
        raise FactError(f"{path} has no version for the installed package '{name}'", "the file is damaged or cut off")
    return Package(name, version, paragraph.get("Architecture", ""), state, flag, selection)
