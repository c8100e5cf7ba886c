"""Packages of an apt repository (deb-repository format: Packages; deb822(5))."""

from collections.abc import Iterator
from typing import IO, Final

from diskimage_validator.errors import EngineError
from diskimage_validator.facts.apt_indices import MAX_LINE, MAX_SIZE
from diskimage_validator.printable import decode
from diskimage_validator.readiness.facts.storage import Stored
from diskimage_validator.readiness.probes.indices.package import Package

MAX_PACKAGES: Final = 1_000_000
_FIELDS: Final = (
    b"Package:",
    b"Version:",
    b"Architecture:",
    b"Provides:",
    b"Depends:",
    b"Pre-Depends:",
    b"Size:",
    b"SHA256:",
    b"Filename:",
)


def apt_packages(stream: IO[bytes]) -> Iterator[Package]:
    """Yield the packages of a Packages file, not compressed. Raises EngineError if there is too much of it."""
    size = count = 0
    fields: dict[bytes, str] = {}
    while True:
        line = stream.readline(MAX_LINE)
        size += len(line)
        if size > MAX_SIZE or count > MAX_PACKAGES:
            raise EngineError(f"an index of more than {MAX_SIZE // 1024 // 1024} MiB or {MAX_PACKAGES} packages")
        if line.strip():
            if line.startswith(_FIELDS):
                name, _, value = line.partition(b":")
                fields[name] = decode(value.strip())
            continue
        if b"Package" in fields:
            count += 1
            yield _package(fields)
        if not line:
            return
        fields = {}


def _package(fields: dict[bytes, str]) -> Package:
    name, size = fields[b"Package"], fields.get(b"Size", "")
    if not (size.isascii() and size.isdigit() and len(size) < 16):
        raise EngineError(f"the index tells no size of {name}")
    provides = [alternative for group in _relations(fields.get(b"Provides", "")) for alternative in group]
    depends = (*_relations(fields.get(b"Pre-Depends", "")), *_relations(fields.get(b"Depends", "")))
    file = Stored(fields.get(b"SHA256") or fields.get(b"Filename") or name, int(size))
    architecture, version = fields.get(b"Architecture", ""), fields.get(b"Version", "")
    return Package(name, architecture, version, tuple(provides), depends, file)


def _relations(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the names in a Depends field: versions, architectures and qualifiers are left out (Policy, 7.1)."""
    groups = (group.split("|") for group in text.split(",") if group.strip())
    return tuple(tuple(name.split("(")[0].split("[")[0].split(":")[0].strip() for name in group) for group in groups)
