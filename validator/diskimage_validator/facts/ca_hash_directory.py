"""A folder in which OpenSSL looks CAs up by hash: ``xxxxxxxx.N`` (X509_LOOKUP_hash_dir(3), c_rehash(1)).

OpenSSL computes the hash of the issuer's name, reads ``HASH.0``, ``HASH.1`` and so on, and stops at the first number
that is not there. So a CA is trusted through the folder if, and only if, such a chain of its own hash leads to it:
the file alone does nothing, and a link of another hash neither.
"""

import re
from collections.abc import Iterator
from dataclasses import field
from itertools import groupby
from typing import Final

from diskimage_validator.certificates import Unparsed
from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.ca_content import DISTRUSTED, Content, parse_pem
from diskimage_validator.facts.ca_shelf import Shelf
from diskimage_validator.facts.ca_stores import CaStore, HashLink
from diskimage_validator.frozen import dataclass
from diskimage_validator.name_hash import old_subject_hash
from diskimage_validator.printable import clean_path

MAX_ENTRIES: Final = 10_000
_LINK: Final = re.compile(r"([0-9a-f]{8})\.(\d{1,6})")
_FILES: Final = (".pem", ".crt", ".cer")


def has_hash_links(shelf: Shelf, folder: str) -> bool:
    """Whether there is a folder of that path with at least one hash link."""
    entry = shelf.engine.stat(folder)
    if entry is None or not entry.is_dir:
        return False
    return any(_LINK.fullmatch(name) for name in shelf.engine.listdir(folder))


def read_hash_directory(shelf: Shelf, folder: str, command: str) -> CaStore:
    """Return the folder as a store. What cannot be read is named in ``unreadable``; never raises for content."""
    reading = _Reading(shelf, folder)
    try:
        reading.read()
    except ValidatorError as error:
        reading.unreadable.append(error.message)
    return CaStore(
        consumer="openssl",
        path=clean_path(folder),
        kind="hash-directory",
        real=clean_path(shelf.engine.resolve(folder)),
        certificates=tuple(reading.trusted),
        distrusted=tuple(reading.distrusted),
        unlinked=tuple(dict.fromkeys(found for found in reading.unlinked if found not in reading.reached)),
        unparsed=tuple(reading.unparsed),
        hash_links=tuple(reading.faults),
        command=command,
        unreadable=clean_path("; ".join(reading.unreadable[:3])),
    )


@dataclass
class _Reading:
    """One folder while it is read."""

    shelf: Shelf
    folder: str
    trusted: list[str] = field(default_factory=list)
    distrusted: list[str] = field(default_factory=list)
    unlinked: list[str] = field(default_factory=list)
    unparsed: list[Unparsed] = field(default_factory=list)
    faults: list[HashLink] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def reached(self) -> set[str]:
        return {*self.trusted, *self.distrusted}

    def read(self) -> None:
        names = self.shelf.engine.listdir(self.folder)
        if len(names) > MAX_ENTRIES:
            self.unreadable.append(f"{self.folder}: more than {MAX_ENTRIES} entries: the rest was not read")
        links = [found for name in names[:MAX_ENTRIES] if (found := _LINK.fullmatch(name))]
        links.sort(key=lambda link: (link[1], int(link[2])))
        for wanted, group in groupby(links, key=lambda link: link[1]):
            self._read_links(wanted, [link[0] for link in group])
        for name in names[:MAX_ENTRIES]:
            if name.endswith(_FILES):
                self._read_file(name)

    def _read_links(self, wanted: str, names: list[str]) -> None:
        for number, name in enumerate(names):
            if name != f"{wanted}.{number}":
                reason = f"is never looked at: OpenSSL stops at {wanted}.{number}, which is not there"
                self.faults += [HashLink(rest, reason) for rest in names[number:]]
                return
            self._read_link(wanted, name)

    def _read_link(self, wanted: str, name: str) -> None:
        path = f"{self.folder}/{name}"
        entry = self.shelf.engine.stat(path)
        if entry is None or not entry.is_file:
            target = clean_path(self.shelf.engine.readlink(path)) if self._is_link(path) else "no file"
            self.faults.append(HashLink(name, f"leads to {target}, which is {'not there' if not entry else 'no file'}"))
            return
        content = self._content(path)
        hashes = []
        for trust, digest in self._certificates(content, damaged=True):
            hashes.append(self.shelf.certificates[digest].name_hash)
            if hashes[-1] == wanted:
                (self.distrusted if trust == DISTRUSTED else self.trusted).append(digest)
            elif old_subject_hash(self.shelf.der(digest)) == wanted:
                hashes[-1] = wanted
        if content.certificates and wanted not in hashes:
            found = f"whose hash is {hashes[0]}" if hashes else "which cannot be parsed"
            self.faults.append(HashLink(name, f"leads to a certificate {found}"))

    def _read_file(self, name: str) -> None:
        """Note a certificate in a file of its own; bundles are no part of the lookup."""
        path = f"{self.folder}/{name}"
        entry = self.shelf.engine.stat(path)
        if entry and entry.is_file:
            content = self._content(path)
            if len(content.certificates) == 1:
                self.unlinked += [digest for _, digest in self._certificates(content)]

    def _content(self, path: str) -> Content:
        try:
            return self.shelf.content(path, parse_pem)
        except ValidatorError as error:
            self.unreadable.append(error.message)
            return Content()

    def _certificates(self, content: Content, *, damaged: bool = False) -> Iterator[tuple[str, str]]:
        for index, (trust, der) in enumerate(content.certificates, start=1):
            added = self.shelf.add(der, index)
            if not isinstance(added, Unparsed):
                yield trust, added
            elif damaged:
                self.unparsed.append(added)

    def _is_link(self, path: str) -> bool:
        entry = self.shelf.engine.lstat(path)
        return entry is not None and entry.is_link
