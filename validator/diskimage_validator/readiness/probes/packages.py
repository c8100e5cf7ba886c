"""Sizes of packages, out of the indices of their repositories."""

import contextlib
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, cast

import zstandard

from diskimage_validator.errors import EngineError
from diskimage_validator.facts.apt_indices import plain_index
from diskimage_validator.readiness.facts.storage import REPOMD, AskPackages, PackageSet
from diskimage_validator.readiness.probes.indices.apt import apt_packages
from diskimage_validator.readiness.probes.indices.closure import closure
from diskimage_validator.readiness.probes.indices.package import Package
from diskimage_validator.readiness.probes.indices.repomd import primary_of
from diskimage_validator.readiness.probes.indices.rpm import rpm_packages
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.readiness.probes.mirror import opened

MAX_WINDOW: Final = 128 * 1024 * 1024
"""Bytes that zstd may look back, and keeps in memory for it: more needs an option of zstd(1), too."""
_FORMS: Final = {".xz": "xz", ".gz": "gz", ".bz2": "bz2", ".lzma": "lzma", ".zst": "zst"}


def ask_packages(ask: AskPackages, means: Means) -> PackageSet:
    """Return what packages take. Raises EngineError if an index cannot be had or read."""
    packages = [package for index in ask.indices for package in _read(index, ask, means)]
    if ask.packages:
        return closure(packages, ask.packages, "rpm" if ask.index.endswith(REPOMD) else "dpkg")
    return PackageSet(tuple(dict.fromkeys(package.file for package in packages)))


def _read(index: str, ask: AskPackages, means: Means) -> list[Package]:
    found: list[Package] = []
    if index.endswith(REPOMD):
        with _reading(index, means) as repomd:
            primary = primary_of(repomd)
        place = index.removesuffix(REPOMD) + primary.href
        with _reading(place, means) as file:
            primary.verify(file)
            rpm_packages(_plain(file, place), found.append, relations=bool(ask.packages))
    else:
        with _reading(index, means) as file:
            found.extend(apt_packages(_plain(file, index)))
    if not found:
        raise EngineError(f"{index}: no package is in it", "is this a Packages file, or a repomd.xml?")
    return found


@contextlib.contextmanager
def _reading(index: str, means: Means) -> Iterator[IO[bytes]]:
    """Give the file. Whatever is wrong with it is an EngineError that names it."""
    with opened(index, means) as file:
        try:
            yield file
        except (zlib.error, lzma.LZMAError, zstandard.ZstdError, EOFError) as error:
            raise EngineError(f"{index}: damaged: {error}") from error
        except EngineError as error:
            raise EngineError(f"{index}: {error.message}", error.hint) from error


def _plain(file: IO[bytes], name: str) -> IO[bytes]:
    form = _FORMS.get(Path(name).suffix, "")
    if form == "zst":
        reader = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
        return cast("IO[bytes]", reader.stream_reader(file, read_across_frames=True, closefd=False))
    return plain_index(file, form)
