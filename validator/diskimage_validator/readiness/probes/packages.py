"""Sizes of packages, out of the indices of their repositories."""

import contextlib
import lzma
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Final, cast

import zstandard

from diskimage_validator.errors import EngineError
from diskimage_validator.facts.apt_indices import plain_index
from diskimage_validator.readiness.facts.storage import REPOMD, AskPackages, PackageSet
from diskimage_validator.readiness.probes.indices.apt import apt_packages
from diskimage_validator.readiness.probes.indices.closure import closure
from diskimage_validator.readiness.probes.indices.package import Package
from diskimage_validator.readiness.probes.indices.repomd import parse_repomd
from diskimage_validator.readiness.probes.indices.rpm import is_unlisted, owners, rpm_packages
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.readiness.probes.mirror import opened

MAX_WINDOW: Final = 128 * 1024 * 1024
"""Bytes that zstd may look back, and keeps in memory for it: more needs an option of zstd(1), too."""
_DAMAGED: Final = "is that a whole index of a repository? the mirror may be in an update: try again, or mirror it anew"
_FORMS: Final = {".xz": "xz", ".gz": "gz", ".bz2": "bz2", ".lzma": "lzma", ".zst": "zst"}


def ask_packages(ask: AskPackages, means: Means) -> PackageSet:
    """Return what packages take. Raises EngineError if an index cannot be had or read."""
    if ask.index.endswith(REPOMD):
        repositories = [_Repository(index, means) for index in ask.indices]
        packages = [package for one in repositories for package in one.packages(relations=bool(ask.packages))]
        if ask.packages and (paths := _unlisted(closure(packages, ask.packages, "rpm"), packages)):
            packages = _with_files(packages, [one.owners(paths) for one in repositories])
        manager = "rpm"
    else:
        packages = [package for index in ask.indices for package in _apt(index, means)]
        manager = "dpkg"
    if ask.packages:
        return closure(packages, ask.packages, manager)
    return PackageSet(tuple(dict.fromkeys(package.file for package in packages)))


def _apt(index: str, means: Means) -> list[Package]:
    with _reading(index, means) as file:
        return _some(index, list(apt_packages(_plain(file, index))))


def _some(index: str, packages: list[Package]) -> list[Package]:
    if not packages:
        raise EngineError(f"{index}: no package is in it", "is this a Packages file, or a repomd.xml?")
    return packages


class _Repository:
    """An RPM repository. Whatever is wrong with one of its files is an EngineError that names it."""

    def __init__(self, index: str, means: Means) -> None:
        self._index = index
        self._means = means
        with _reading(index, means) as repomd:
            self._files = parse_repomd(repomd)

    def packages(self, *, relations: bool) -> list[Package]:
        found: list[Package] = []
        with self._open("primary") as primary:
            rpm_packages(primary, found.append, relations=relations)
        return _some(self._index, found)

    def owners(self, paths: Collection[str]) -> dict[str, list[str]]:
        with self._open("filelists") as filelists:
            return owners(filelists, paths)

    @contextlib.contextmanager
    def _open(self, kind: str) -> Iterator[IO[bytes]]:
        if kind not in self._files:
            raise EngineError(f"{self._index}: it lists no '{kind}'", "createrepo_c writes it")
        listed = self._files[kind]
        place = self._index.removesuffix(REPOMD) + listed.href
        with _reading(place, self._means) as file:
            listed.verify(file)
            yield _plain(file, place)


def _unlisted(found: PackageSet, packages: Iterable[Package]) -> set[str]:
    """Return all paths that packages need and only lists of files tell, if ``found`` lacks anything at all."""
    if not found.unmet:
        return set()
    return {name for package in packages for group in package.depends for name in group if is_unlisted(name)}


def _with_files(packages: list[Package], owned: Iterable[dict[str, list[str]]]) -> list[Package]:
    paths: dict[str, list[str]] = {}
    for one in owned:
        for digest, found in one.items():
            paths.setdefault(digest, []).extend(found)
    return [
        replace(package, provides=(*package.provides, *paths[package.file.digest]))
        if package.file.digest in paths
        else package
        for package in packages
    ]


@contextlib.contextmanager
def _reading(index: str, means: Means) -> Iterator[IO[bytes]]:
    """Give the file. Whatever is wrong with it is an EngineError that names it."""
    with opened(index, means) as file:
        try:
            yield file
        except (zlib.error, lzma.LZMAError, zstandard.ZstdError, EOFError) as error:
            raise EngineError(f"{index}: damaged: {error}", _DAMAGED) from error
        except EngineError as error:
            raise EngineError(f"{index}: {error.message}", error.hint or _DAMAGED) from error


def _plain(file: IO[bytes], name: str) -> IO[bytes]:
    form = _FORMS.get(Path(name).suffix, "")
    if form == "zst":
        reader = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
        return cast("IO[bytes]", reader.stream_reader(file, read_across_frames=True, closefd=False))
    return plain_index(file, form)
