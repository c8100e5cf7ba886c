"""CAs for one registry alone: ``certs.d/HOST:PORT`` of Docker and of podman, and ``ca`` of buildkitd.toml.

In ``certs.d``, ``*.crt`` are CAs, ``NAME.cert`` and ``NAME.key`` a client's certificate and key; a file of any other
name is passed over. Sources: containers-certs.d(5), Docker's "Verify repository client with certificates" and its
registry/registry.go (``ReadCertsDirectory``), BuildKit's docs/buildkitd.toml.md.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from diskimage_validator.certificates import Unparsed
from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.ca_content import Content, parse_pem
from diskimage_validator.facts.ca_shelf import Shelf
from diskimage_validator.facts.ca_stores import CaStore
from diskimage_validator.printable import clean_path, decode

FOLDERS: Final = (("docker", "/etc/docker/certs.d"), ("containers", "/etc/containers/certs.d"))
BUILDKIT: Final = ("/etc/buildkit/buildkitd.toml",)
MAX_HOSTS: Final = 1_000
MAX_FILES: Final = 200
TOML_LIMIT: Final = 256 * 1024


def read_registries(shelf: Shelf) -> Iterator[CaStore]:
    """Yield a store for every registry and consumer."""
    for consumer, folder in FOLDERS:
        entry = shelf.engine.stat(folder)
        if entry is None or not entry.is_dir:
            continue
        hosts = shelf.engine.listdir(folder)
        for host in hosts[:MAX_HOSTS]:
            path = f"{folder}/{host}"
            found = shelf.engine.stat(path)
            if found and found.is_dir:
                yield _host(shelf, consumer, path, clean_path(host))
        if len(hosts) > MAX_HOSTS:
            yield _unreadable(consumer, folder, f"more than {MAX_HOSTS} registries: the rest was not read")
    for path in BUILDKIT:
        if shelf.engine.exists(path):
            yield from _buildkit(shelf, path)


def _host(shelf: Shelf, consumer: str, folder: str, host: str) -> CaStore:
    names = shelf.engine.listdir(folder)
    authorities = [f"{folder}/{name}" for name in names if name.endswith(".crt")]
    others = [f"{folder}/{name}" for name in names if not name.endswith((".crt", ".cert", ".key"))]
    ignored = [path for path in others[:MAX_FILES] if _holds_certificates(shelf, path)]
    store = _of_files(shelf, consumer, folder, "certs.d", authorities, host)
    return replace(store, ignored=tuple(map(clean_path, ignored)))


def _buildkit(shelf: Shelf, path: str) -> Iterator[CaStore]:
    try:
        document = tomllib.loads(shelf.engine.read(path, limit=TOML_LIMIT).decode())
    except ValidatorError as error:
        yield _unreadable("buildkit", path, error.message)
        return
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        yield _unreadable("buildkit", path, f"{path} is no TOML: {error}")
        return
    registries = document.get("registry")
    for host, entry in list(registries.items())[:MAX_HOSTS] if isinstance(registries, dict) else ():
        files = entry.get("ca") if isinstance(entry, dict) else None
        if isinstance(files, list) and files:
            named = [str(file) for file in files if isinstance(file, str) and file.startswith("/")]
            yield _of_files(shelf, "buildkit", path, "buildkitd.toml", named, decode(host.encode()))


def _of_files(shelf: Shelf, consumer: str, path: str, kind: str, files: list[str], host: str) -> CaStore:
    """Return the ``files`` together as one store."""
    content, missing, unreadable = Content(), [], []
    for file in files[:MAX_FILES]:
        entry = shelf.engine.stat(file)
        if entry is None:
            missing.append(clean_path(file))
            continue
        try:
            found = shelf.content(file, parse_pem)
        except ValidatorError as error:
            unreadable.append(error.message)
            continue
        content.certificates += found.certificates
        content.unparsed += found.unparsed or ([] if found.certificates else [_nothing_in(file)])
    if len(files) > MAX_FILES:
        unreadable.append(f"{path}: more than {MAX_FILES} files for {host}")
    real = clean_path(shelf.engine.resolve(path))
    store = CaStore(consumer, clean_path(path), kind, real, missing=tuple(missing), host=host)
    try:
        store = replace(store, **shelf.sort(content))
    except ValidatorError as error:
        unreadable.append(error.message)
    return replace(store, unreadable=clean_path("; ".join(unreadable[:3])))


def _nothing_in(file: str) -> Unparsed:
    return Unparsed(1, f"{clean_path(file)} holds no certificate")


def _holds_certificates(shelf: Shelf, path: str) -> bool:
    entry = shelf.engine.stat(path)
    if entry is None or not entry.is_file:
        return False
    try:
        return bool(shelf.content(path, parse_pem).certificates)
    except ValidatorError:
        return False  # nobody reads it


def _unreadable(consumer: str, path: str, reason: str) -> CaStore:
    return CaStore(consumer, clean_path(path), "file", clean_path(path), unreadable=clean_path(reason))
