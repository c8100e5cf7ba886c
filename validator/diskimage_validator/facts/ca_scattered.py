"""Bundles that programs bring along, wherever they lie: certifi and its copies, botocore, httplib2, JDKs, NSS.

Distributions patch certifi to name the system's bundle: then its ``core.py`` counts and not the file beside it. From
24.2 on, under Python 3.10 or later, pip asks the system's store in addition to its own copy (pip's NEWS, 24.2).
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import EntryNotFoundError, ValidatorError
from diskimage_validator.facts.ca_content import parse_pem
from diskimage_validator.facts.ca_shelf import Shelf
from diskimage_validator.facts.ca_stores import CaStore
from diskimage_validator.facts.java_keystore import parse_keystore
from diskimage_validator.facts.nss_database import parse_nss
from diskimage_validator.facts.scene import Scene
from diskimage_validator.printable import clean_path

MAX_STORES: Final = 1_000
SOURCE_LIMIT: Final = 64 * 1024
TRUSTSTORE: Final = "24.2"
_REDIRECT: Final = re.compile(rb"""["'](/[A-Za-z0-9._+/-]{1,200}\.(?:pem|crt))["']""")
_OWN_FILE: Final = re.compile(rb"""["']cacert\.pem["']""")
_VERSION: Final = re.compile(rb"""^__version__ = ["']([0-9a-z.]{1,40})["']""", re.MULTILINE)
_PYTHON: Final = re.compile(r"/python3\.(\d{1,3})/")


def read_scattered(scene: Scene, shelf: Shelf, bundle: str) -> Iterator[CaStore]:
    """Yield the stores that only a look at the whole tree finds. ``bundle``: path of the system's, or empty."""
    count = 0
    for path, entry in scene.tree:
        if not path.endswith(_ENDS) or not (entry.is_file or entry.is_link):
            continue
        try:
            store = _READERS[posixpath.basename(path)](shelf, path, bundle)
        except ValidatorError as error:
            where = clean_path(path)
            store = CaStore(_consumer(path), where, "file", where, unreadable=clean_path(error.message))
        if store is None:
            continue
        count += 1
        if count > MAX_STORES:
            reason = f"more than {MAX_STORES} bundles in the image: the rest was not read"
            yield CaStore(store.consumer, store.path, store.kind, store.path, unreadable=reason)
            return
        yield store


def _cacert(shelf: Shelf, path: str, bundle: str) -> CaStore | None:
    folder = posixpath.dirname(path)
    if posixpath.basename(folder) == "botocore":
        return shelf.store("botocore", path, "pem", parse_pem)
    if posixpath.basename(folder) != "certifi" or _redirect(shelf.engine, f"{folder}/core.py"):
        return None
    store = shelf.store(_certifi_consumer(folder), path, "pem", parse_pem)
    also = shelf.engine.resolve(bundle) if bundle and _asks_the_system(shelf.engine, folder) else ""
    return replace(store, also=clean_path(also))


def _core(shelf: Shelf, path: str, _: str) -> CaStore | None:
    folder = posixpath.dirname(path)
    if posixpath.basename(folder) != "certifi" or not (target := _redirect(shelf.engine, path)):
        return None
    consumer = _certifi_consumer(folder)
    if not shelf.engine.exists(target):
        return CaStore(consumer, clean_path(path), "pem", target, missing=(target,))
    return replace(shelf.store(consumer, target, "pem", parse_pem), path=clean_path(path))


def _httplib2(shelf: Shelf, path: str, _: str) -> CaStore | None:
    inside = posixpath.basename(posixpath.dirname(path)) == "httplib2"
    return shelf.store("httplib2", path, "pem", parse_pem) if inside else None


def _java(shelf: Shelf, path: str, _: str) -> CaStore | None:
    """A JDK's own keystore. Where it is a link, the distribution's, which is read anyway, is behind it."""
    entry = shelf.engine.lstat(path)
    if not posixpath.dirname(path).endswith("/lib/security") or entry is None or not entry.is_file:
        return None
    return shelf.store("java", path, "keystore", parse_keystore)


def _nss(shelf: Shelf, path: str, _: str) -> CaStore | None:
    entry = shelf.engine.lstat(path)
    return shelf.store("nss", path, "nss", parse_nss) if entry and entry.is_file else None


_READERS: Final = {
    "cacert.pem": _cacert,
    "core.py": _core,
    "cacerts.txt": _httplib2,
    "cacerts": _java,
    "jssecacerts": _java,
    "cert9.db": _nss,
}
_ENDS: Final = tuple(f"/{name}" for name in _READERS)


def _consumer(path: str) -> str:
    """Return the consumer of a file that could not even be looked at: by its name."""
    known = {"cacerts": "java", "jssecacerts": "java", "cert9.db": "nss", "cacerts.txt": "httplib2"}
    return known.get(posixpath.basename(path), _certifi_consumer(posixpath.dirname(path)))


def _certifi_consumer(folder: str) -> str:
    return "pip" if folder.endswith("/pip/_vendor/certifi") else "certifi"


def _redirect(engine: Engine, path: str) -> str:
    """Return the file that a patched certifi's ``core.py`` names; empty if it names its own, or is not there."""
    text = _source(engine, path)
    found = _REDIRECT.search(text)
    return found[1].decode() if found and not _OWN_FILE.search(text) else ""


def _asks_the_system(engine: Engine, folder: str) -> bool:
    """Whether the certifi in ``folder`` is the one of a pip that asks the system's store, too."""
    if _certifi_consumer(folder) != "pip":
        return False
    from packaging.version import InvalidVersion, Version

    found = _VERSION.search(_source(engine, f"{folder.removesuffix('/_vendor/certifi')}/__init__.py"))
    python = _PYTHON.search(folder)
    try:
        new = found is not None and Version(found[1].decode()) >= Version(TRUSTSTORE)
    except InvalidVersion:
        return False
    return new and (python is None or int(python[1]) >= 10)


def _source(engine: Engine, path: str) -> bytes:
    """Return the beginning of a Python module; empty if it is not there."""
    try:
        return engine.read(path, limit=SOURCE_LIMIT, whole=False)
    except EntryNotFoundError:
        return b""
