"""Sizes of packages, out of the indices of an apt repository (deb-repository format: Packages; deb822(5))."""

import contextlib
import http.client
import lzma
import ssl
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from diskimage_validator.errors import EngineError
from diskimage_validator.facts.apt_indices import MAX_LINE, MAX_SIZE, plain_index
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import decode, printable
from diskimage_validator.readiness.facts.storage import AskPackages, PackageSet, Stored
from diskimage_validator.readiness.probes.authorities import verifying
from diskimage_validator.readiness.probes.means import Means

MAX_DOWNLOAD: Final = 256 * 1024 * 1024
"""Bytes of an index as it is sent; that of a whole distribution has about 10 MiB."""
DOWNLOAD_FACTOR: Final = 6
"""How much longer than any other answer an index may take."""
MAX_PACKAGES: Final = 1_000_000
MAX_UNMET: Final = 20
_FIELDS: Final = (b"Package:", b"Provides:", b"Depends:", b"Pre-Depends:", b"Size:", b"SHA256:", b"Filename:")
_FORMS: Final = {".xz": "xz", ".gz": "gz", ".bz2": "bz2", ".lzma": "lzma"}


@dataclass(frozen=True)
class Package:
    """A paragraph: names that it goes by (its own first), what it depends on (names of alternatives), and its file."""

    names: tuple[str, ...]
    depends: tuple[tuple[str, ...], ...]
    file: Stored


def ask_packages(ask: AskPackages, means: Means) -> PackageSet:
    """Return what packages take. Raises EngineError if the index cannot be had or read."""
    form = _FORMS.get(Path(ask.index).suffix, "")
    try:
        with _opened(ask.index, means) as stream:
            packages = list(_packages(plain_index(stream, form)))
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise EngineError(f"{ask.index}: damaged: {error}") from error
    except (OSError, http.client.HTTPException) as error:
        raise EngineError(f"{ask.index}: {_reason(error)}", _HINT) from error
    if not packages:
        raise EngineError(f"{ask.index}: no package is in it", "is this a Packages file?")
    if ask.packages:
        return _closure(packages, ask.packages)
    return PackageSet(tuple(dict.fromkeys(package.file for package in packages)))


_HINT: Final = "is the mirror up, is its CA in 'certificates.bundle', and is the path right?"


@contextlib.contextmanager
def _opened(index: str, means: Means) -> Iterator[IO[bytes]]:
    """Give the index: the file that it is, or a temporary copy."""
    if "://" not in index:
        with (means.folder / index).open("rb") as file:
            yield file
        return
    https = urllib.request.HTTPSHandler(context=verifying(means.authorities))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), https, _SameHost)
    limit = DOWNLOAD_FACTOR * means.timeout
    deadline = time.monotonic() + limit
    with tempfile.TemporaryFile(prefix="readiness-") as copy:
        with opener.open(index, timeout=means.timeout) as response:
            while data := response.read1(1 << 20):
                copy.write(data)
                if copy.tell() > MAX_DOWNLOAD:
                    raise EngineError(f"{index}: more than {MAX_DOWNLOAD // 1024 // 1024} MiB")
                if time.monotonic() > deadline:
                    raise EngineError(f"{index}: not complete after {limit:g} s")
        copy.seek(0)
        yield copy


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows a mirror's redirection within the mirror: nobody else is contacted whom the factory does not name."""

    def redirect_request(self, *arguments: Any) -> urllib.request.Request | None:
        """Return the request to the new place. Raises EngineError if that is another host."""
        request, *_, new = arguments
        if urllib.parse.urlsplit(new)[:2] != urllib.parse.urlsplit(request.full_url)[:2]:
            raise EngineError(
                f"{request.full_url}: redirects to {printable(new)}", "name that place in the factory.yaml"
            )
        return super().redirect_request(*arguments)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        with error:
            return f"HTTP status {error.code}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate does not verify: {cause.verify_message}"
    return str(getattr(cause, "strerror", None) or cause)


def _packages(stream: IO[bytes]) -> Iterator[Package]:
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
    identity = fields.get(b"SHA256") or fields.get(b"Filename") or name
    return Package((name, *provides), depends, Stored(identity, int(size)))


def _relations(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the names in a Depends field: versions, architectures and qualifiers are left out (Policy, 7.1)."""
    groups = (group.split("|") for group in text.split(",") if group.strip())
    return tuple(tuple(name.split("(")[0].split("[")[0].split(":")[0].strip() for name in group) for group in groups)


def _closure(packages: list[Package], wanted: tuple[str, ...]) -> PackageSet:
    """Return ``wanted`` with all that they depend on; of alternatives the first that is there, as apt does."""
    offered: dict[str, Package] = {}
    for package in packages:
        offered.setdefault(package.names[0], package)
    for package in packages:
        for name in package.names[1:]:
            offered.setdefault(name, package)
    missing = tuple(name for name in wanted if name not in offered)
    queue = [offered[name] for name in wanted if name in offered]
    found: dict[str, Package] = {}
    unmet: dict[str, None] = {}
    while queue:
        package = queue.pop()
        if package.names[0] in found:
            continue
        found[package.names[0]] = package
        for group in package.depends:
            chosen = next((offered[name] for name in group if name in offered), None)
            if chosen:
                queue.append(chosen)
            else:
                unmet[f"{package.names[0]}: {' | '.join(group)}"] = None
    files = dict.fromkeys(package.file for package in found.values())
    return PackageSet(tuple(files), missing, tuple(unmet)[:MAX_UNMET])
