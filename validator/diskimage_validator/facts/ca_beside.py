"""What lies in and beside the stores and does not belong there: private keys. And what the image takes out of trust."""

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from cryptography.hazmat.primitives.serialization import load_der_private_key, pkcs12

from diskimage_validator import pem
from diskimage_validator.certificates import Unparsed
from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.ca_content import Content, parse_pem
from diskimage_validator.facts.ca_shelf import Parser, Shelf
from diskimage_validator.facts.ca_stores import Blocked, UnreadFile
from diskimage_validator.facts.java_keystore import parse_pkcs12
from diskimage_validator.printable import clean_path

FOLDERS: Final = (
    "/usr/local/share/ca-certificates",
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust",
    "/usr/share/pki/ca-trust-source",
    "/etc/pki/trust",
    "/usr/share/pki/trust",
    "/var/lib/ca-certificates",
    "/etc/docker/certs.d",
    "/etc/containers/certs.d",
)
BLOCKLISTS: Final = (
    "/etc/pki/ca-trust/source/blocklist",
    "/etc/pki/ca-trust/source/blacklist",
    "/usr/share/pki/ca-trust-source/blocklist",
    "/usr/share/pki/ca-trust-source/blacklist",
    "/etc/pki/trust/blocklist",
    "/etc/pki/trust/blacklist",
    "/usr/share/pki/trust/blocklist",
    "/usr/share/pki/trust/blacklist",
)
"""p11-kit's folders of distrusted CAs, under their old and their new names: trust(1), update-ca-trust(8)."""
SOURCES: Final = (
    "/etc/pki/ca-trust/source",
    "/usr/share/pki/ca-trust-source",
    "/etc/pki/trust",
    "/usr/share/pki/trust",
)
"""Folders with p11-kit's own files, in which a certificate may be marked as distrusted: p11-kit's persist format."""
DEBIAN_LIST: Final = "/etc/ca-certificates.conf"
DEBIAN_FOLDER: Final = "/usr/share/ca-certificates"
MAX_FILES: Final = 20_000
MAX_LINES: Final = 10_000
_TEXT_LIMIT: Final = 1024 * 1024
_OBJECT: Final = re.compile(rb"^\[p11-kit-object-v1\]", re.MULTILINE)
_DISTRUSTED: Final = re.compile(rb"^x-distrusted:[ \t]*true[ \t\r]*$", re.MULTILINE)


def scan_for_keys(shelf: Shelf) -> Iterator[UnreadFile]:
    """Look at every file below FOLDERS, so that ``shelf`` knows the keys in them. Yield what could not be read."""
    for folder in FOLDERS:
        entry = shelf.engine.stat(folder)
        if entry is None or not entry.is_dir:
            continue
        for count, (path, found) in enumerate(shelf.engine.walk(folder)):
            if count == MAX_FILES:
                yield UnreadFile(folder, f"more than {MAX_FILES} files: the rest was not looked at")
                break
            if found.is_file:
                parse = _parse_binary if path.endswith((".der", ".key", ".p12", ".pfx")) else parse_pem
                try:
                    shelf.content(path, parse)
                except ValidatorError as error:
                    yield UnreadFile(clean_path(path), clean_path(error.message))


def _parse_binary(data: bytes) -> Content:
    """Return what a file that may be binary holds: PEM, a DER key or a PKCS #12 file."""
    if keys := pem.private_keys(data):
        return Content(keys=keys)
    if data[:1] != b"\x30":
        return Content()
    try:
        load_der_private_key(data, None)
        return Content(keys=[(0, "PRIVATE KEY in DER form")])
    except TypeError:  # it wants a password, so it is a key
        return Content(keys=[(0, "ENCRYPTED PRIVATE KEY in DER form")])
    except Exception:  # noqa: S110 - no key then; hostile input may do worse than documented
        pass
    return _pkcs12(data)


def _pkcs12(data: bytes) -> Content:
    """A PKCS #12 file under a password of its own may hold a key as well; one of another kind of DER is none."""
    try:
        return Content(keys=parse_pkcs12(data).keys)
    except ValidatorError:
        try:
            pkcs12.load_pkcs12(data, None)
        except ValueError as error:
            if "password" in str(error).lower():
                return Content(keys=[(0, "PKCS #12 file under a password")])
        return Content()


def read_blocked(shelf: Shelf) -> Iterator[Blocked | UnreadFile]:
    """Yield what the image takes out of trust, and lists of such that cannot be read."""
    if shelf.engine.exists(DEBIAN_LIST):
        try:
            yield from _debian(shelf)
        except ValidatorError as error:
            yield UnreadFile(DEBIAN_LIST, clean_path(error.message))
    for folder in BLOCKLISTS:
        entry = shelf.engine.stat(folder)
        if entry is None or not entry.is_dir:
            continue
        for name in shelf.engine.listdir(folder)[:MAX_LINES]:
            path = f"{folder}/{name}"
            try:
                yield Blocked(clean_path(path), 0, clean_path(name), _fingerprints(shelf, path))
            except ValidatorError as error:
                yield UnreadFile(clean_path(path), clean_path(error.message))
    for folder in SOURCES:
        entry = shelf.engine.stat(folder)
        if entry is None or not entry.is_dir:
            continue
        for name in shelf.engine.listdir(folder)[:MAX_LINES]:
            path = f"{folder}/{name}"
            if name.endswith(".p11-kit"):
                try:
                    found = _fingerprints(shelf, path, _parse_distrusted)
                except ValidatorError as error:
                    yield UnreadFile(clean_path(path), clean_path(error.message))
                else:
                    yield from [Blocked(clean_path(path), 0, clean_path(name), found)] if found else []


def _parse_distrusted(data: bytes) -> Content:
    """Return the certificates that a file of p11-kit marks as distrusted."""
    marked = [section for section in _OBJECT.split(data) if _DISTRUSTED.search(section)]
    return parse_pem(b"".join(marked))


def _debian(shelf: Shelf) -> Iterator[Blocked | UnreadFile]:
    """Lines ``!NAME`` of ca-certificates.conf(5) name files below /usr/share/ca-certificates."""
    lines = shelf.engine.read(DEBIAN_LIST, limit=_TEXT_LIMIT).split(b"\n", MAX_LINES)
    for number, line in enumerate(lines[:MAX_LINES], start=1):
        if line.startswith(b"!"):
            name = line[1:].strip().decode("utf-8", "surrogateescape")
            path = posixpath.join(DEBIAN_FOLDER, name.lstrip("/"))
            try:
                found = _fingerprints(shelf, path) if shelf.engine.exists(path) else ()
                yield Blocked(DEBIAN_LIST, number, clean_path(name), found)
            except ValidatorError as error:
                yield UnreadFile(clean_path(path), clean_path(error.message))
    if len(lines) > MAX_LINES:
        yield UnreadFile(DEBIAN_LIST, f"more than {MAX_LINES} lines: the rest was not read")


def _fingerprints(shelf: Shelf, path: str, parse: Parser = parse_pem) -> tuple[str, ...]:
    added = (shelf.add(der) for _, der in shelf.content(path, parse).certificates)
    return tuple(found for found in added if not isinstance(found, Unparsed))
