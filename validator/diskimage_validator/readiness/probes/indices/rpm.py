"""Packages of an RPM repository, out of its ``primary.xml`` (createrepo_c(8), rpm-metadata).

What a package requires is a capability: a name, a soname, a path, or a boolean expression of these
(https://rpm.org/docs/latest/manual/boolean_dependencies.html). Of paths, primary.xml lists only those that packages
should require: below /etc, in a folder whose name ends in ``bin``, and /usr/lib/sendmail. The others are in
``filelists.xml``, which is many times as large. Of the sizes of a package, that of the file counts (``package``), and
not what it takes when it is installed.
"""

from collections.abc import Callable, Collection, Mapping
from typing import IO, Final

from diskimage_validator.errors import EngineError
from diskimage_validator.facts.apt_indices import MAX_SIZE
from diskimage_validator.readiness.facts.storage import Stored
from diskimage_validator.readiness.probes.indices.boolean import alternatives
from diskimage_validator.readiness.probes.indices.package import Package
from diskimage_validator.readiness.probes.indices.xml_stream import parse_xml

MAX_PACKAGES: Final = 1_000_000
MAX_CAPABILITIES: Final = 10_000_000
"""Of all packages together; a whole distribution has about two million."""
_COMMON: Final = "http://linux.duke.edu/metadata/common "
_RPM: Final = "http://linux.duke.edu/metadata/rpm "
_FILES: Final = "http://linux.duke.edu/metadata/filelists "
_OF_RPM_ITSELF: Final = "rpmlib("


def rpm_packages(primary: IO[bytes], found: Callable[[Package], None], *, relations: bool) -> None:
    """Call ``found`` with every package of a ``primary.xml``, not compressed; without ``relations`` only its file.

    Raises EngineError if that is none, or too much.
    """
    reader = _Primary(found, relations)
    parse_xml(primary, reader.start, reader.end, MAX_SIZE)


def is_unlisted(name: str) -> bool:
    """Whether this is a path that only ``filelists.xml`` would list."""
    return name.startswith("/") and not (name.startswith("/etc/") or "bin/" in name or name == "/usr/lib/sendmail")


def owners(filelists: IO[bytes], paths: Collection[str]) -> dict[str, list[str]]:
    """Return which of ``paths`` packages have, by the checksums of these, out of a ``filelists.xml``."""
    found: dict[str, list[str]] = {}
    package = ""

    def start(name: str, attributes: Mapping[str, str]) -> None:
        nonlocal package
        if name == _FILES + "package":
            package = attributes.get("pkgid", "")

    def end(name: str, text: str) -> None:
        if name == _FILES + "file" and text in paths:
            found.setdefault(package, []).append(text)

    parse_xml(filelists, start, end, MAX_SIZE)
    return found


class _Primary:
    def __init__(self, found: Callable[[Package], None], relations: bool) -> None:
        self._found = found
        self._relations = relations
        self._packages = self._capabilities = 0
        self._names: dict[str, str] = {}
        self._fields: dict[str, str] = {}
        self._provides: list[str] = []
        self._requires: list[str] = []
        self._into: list[str] | None = None

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == _RPM + "entry":
            if self._into is not None:
                self._capability(attributes.get("name", ""), self._into)
        elif name == _RPM + "provides":
            self._into = self._provides
        elif name == _RPM + "requires":
            self._into = self._requires
        elif name == _COMMON + "package":
            self._fields, self._provides, self._requires, self._into = {}, [], [], None
        elif name == _COMMON + "version":
            release = f"-{attributes['rel']}" if attributes.get("rel") else ""
            self._fields["version"] = f"{attributes.get('epoch') or 0}:{attributes.get('ver', '')}{release}"
        elif name == _COMMON + "size":
            self._fields["size"] = attributes.get("package", "")

    def end(self, name: str, text: str) -> None:
        if name == _COMMON + "file":
            self._capability(text, self._provides)
        elif name in (_RPM + "provides", _RPM + "requires"):
            self._into = None
        elif name == _COMMON + "package":
            self._package()
        elif name in (_COMMON + "name", _COMMON + "arch", _COMMON + "checksum"):
            self._fields[name.removeprefix(_COMMON)] = text

    def _capability(self, name: str, into: list[str]) -> None:
        if self._relations and not name.startswith(_OF_RPM_ITSELF):
            self._capabilities += 1
            if self._capabilities > MAX_CAPABILITIES:
                raise EngineError(f"an index of more than {MAX_CAPABILITIES} capabilities")
            into.append(self._names.setdefault(name, name))

    def _package(self) -> None:
        name, size, digest = (self._fields.get(key, "") for key in ("name", "size", "checksum"))
        if not name or not digest or not (size.isascii() and size.isdigit() and len(size) < 16):
            raise EngineError(f"the index tells no name, size or checksum of {name or 'a package'}")
        self._packages += 1
        if self._packages > MAX_PACKAGES:
            raise EngineError(f"an index of more than {MAX_PACKAGES} packages")
        depends = [group for required in self._requires for group in alternatives(required)]
        architecture, version = self._fields.get("arch", ""), self._fields.get("version", "")
        provides = tuple(self._provides)
        self._found(Package(name, architecture, version, provides, tuple(depends), Stored(digest, int(size))))
