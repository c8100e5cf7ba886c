"""Which of apt's package indices list the installed packages: the only trace of where a package of dpkg came from.

dpkg records no source. Indices that a build left in ``/var/lib/apt/lists`` tell it all the same: a package whose very
version is in the index of a mirror came from there, or could have. File names are those of apt's ``URItoFileName``:
scheme and credentials left out, special characters quoted as in a URL, and ``_`` for ``/``.
"""

import bz2
import gzip
import lzma
import re
import urllib.parse
import zlib
from collections.abc import Collection, Iterator
from contextlib import closing
from typing import IO, Final, cast

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.base import FactError, Unreadable, known
from diskimage_validator.facts.packages import Package, Packages
from diskimage_validator.facts.streams import open_stream
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path, decode

FOLDER: Final = "/var/lib/apt/lists"
MAX_INDICES: Final = 500
MAX_SIZE: Final = 512 * 1024 * 1024
"""Bytes of an index, not compressed. That of a whole distribution has about 50 MiB."""
MAX_LINE: Final = 64 * 1024
_NAME: Final = re.compile(r"(?P<uri>.*)_Packages(?:\.(?P<form>[a-z0-9]+))?", re.DOTALL)
_FIELDS: Final = (b"Package:", b"Version:", b"Architecture:")


@dataclass(frozen=True)
class AptIndex:
    """``source``: host and path, as ``mirror.internal:8080/debian``; ``unreadable``: why it says nothing, or empty."""

    path: str
    source: str
    unreadable: str = ""


@dataclass(frozen=True)
class AptIndices:
    """The indices, and for every installed package that is in one, as ``name:architecture=version``, the sources."""

    indices: tuple[AptIndex, ...]
    sources: dict[str, tuple[str, ...]]

    def of(self, package: Package) -> tuple[str, ...]:
        """Return where that version of the package is offered."""
        return self.sources.get(_key(package.name, package.architecture, package.version), ())


def read_apt_indices(engine: Engine, packages: Packages | Unreadable) -> AptIndices:
    """Return what the indices say of ``packages``; nothing for a system without apt.

    Raises FactError if there are too many.
    """
    if known(packages).manager != "dpkg" or not _is_folder(engine):
        return AptIndices((), {})
    wanted = {_key(package.name, package.architecture, package.version) for package in known(packages).present}
    names = [(name, match) for name in engine.listdir(FOLDER) if (match := _NAME.fullmatch(name))]
    if len(names) > MAX_INDICES:
        raise FactError(f"more than {MAX_INDICES} package indices in {FOLDER}")
    indices: list[AptIndex] = []
    sources: dict[str, set[str]] = {}
    for name, match in names:
        path, source = f"{FOLDER}/{name}", _source(match["uri"])
        try:
            for found in _listed(engine, path, match["form"] or "", wanted):
                sources.setdefault(found, set()).add(source)
            indices.append(AptIndex(clean_path(path), source))
        except ValidatorError as error:
            indices.append(AptIndex(clean_path(path), source, clean_path(error.message)))
    return AptIndices(tuple(indices), {key: tuple(sorted(found)) for key, found in sorted(sources.items())})


def _is_folder(engine: Engine) -> bool:
    entry = engine.stat(FOLDER)
    return entry is not None and entry.is_dir


def _key(name: str, architecture: str, version: str) -> str:
    return f"{name}:{architecture}={version}"


def _source(name: str) -> str:
    """Return host and path of the repository from the name of an index, without what belongs to the index."""
    uri = urllib.parse.unquote(clean_path(name).replace("_", "/"), errors="backslashreplace")
    return uri.partition("/dists/")[0].removesuffix("/.").rstrip("/") or "/"


def _listed(engine: Engine, path: str, form: str, wanted: Collection[str]) -> Iterator[str]:
    """Yield the keys in ``wanted`` that an index lists."""
    with open_stream(engine, path) as stream, closing(plain_index(stream, form)) as plain:
        try:
            yield from (key for key in parse_index(plain) if key in wanted)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise FactError(f"damaged index: {error}") from error


def plain_index(stream: IO[bytes], form: str) -> IO[bytes]:
    """Return the content of ``stream`` without its compression, which ``form`` is the suffix of.

    What is damaged raises OSError, EOFError, zlib.error or LZMAError when it is read.
    """
    if form == "":
        return stream
    if form == "gz":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=stream))
    if form in ("xz", "lzma"):
        return lzma.LZMAFile(stream)
    if form == "bz2":
        return bz2.BZ2File(stream)
    raise FactError(f"indices compressed as {form} are not read")


def parse_index(stream: IO[bytes]) -> Iterator[str]:
    """Yield ``name:architecture=version`` of every paragraph of a Packages file. Raises FactError if it is too long."""
    size = 0
    fields: dict[bytes, str] = {}
    while line := stream.readline(MAX_LINE):
        size += len(line)
        if size > MAX_SIZE:
            raise FactError(f"an index of more than {MAX_SIZE // 1024 // 1024} MiB")
        if not line.strip():
            yield from _paragraph(fields)
            fields = {}
        elif line.startswith(_FIELDS):
            name, _, value = line.partition(b":")
            fields[name] = decode(value.strip())
    yield from _paragraph(fields)


def _paragraph(fields: dict[bytes, str]) -> Iterator[str]:
    if len(fields) == len(_FIELDS):
        yield _key(fields[b"Package"], fields[b"Architecture"], fields[b"Version"])
