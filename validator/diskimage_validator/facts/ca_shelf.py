"""Reads files with CAs, each once and all within one budget, and pools their certificates."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from diskimage_validator.certificates import Certificate, Unparsed, load_certificate
from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import ReadLimitError, ValidatorError
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.ca_content import DISTRUSTED, TRUSTED, UNKNOWN, Content
from diskimage_validator.facts.ca_stores import CaStore, PrivateKey
from diskimage_validator.printable import clean_path

FILE_LIMIT: Final = 16 * 1024 * 1024
TOTAL_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of all files together. A node with fifty virtual environments has 15 MB of CAs."""
MAX_POOL: Final = 20_000
MAX_LISTED: Final = 500_000
"""Certificates and damaged blocks that all stores list together: a hundred virtual environments list 15,000."""
MAX_KEYS: Final = 10_000

Parser = Callable[[bytes], Content]


class Shelf:
    """The files of ``engine`` that hold CAs. Collects ``certificates`` and ``ders`` (see CaStores) and ``keys``."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.certificates: dict[str, Certificate] = {}
        self.ders: dict[str, str] = {}
        self.keys: dict[tuple[str, int], PrivateKey] = {}
        self._damaged: dict[str, Unparsed] = {}
        self._contents: dict[tuple[str, Parser], Content | ValidatorError] = {}
        self._left = TOTAL_LIMIT
        self._listed = 0

    def content(self, path: str, parse: Parser, *, limit: int = FILE_LIMIT) -> Content:
        """Return the parsed content of the file at ``path``. Raises a ValidatorError if it cannot be read."""
        real = self.engine.resolve(path)
        if (real, parse) not in self._contents:
            self._contents[real, parse] = self._read(real, parse, limit)
        content = self._contents[real, parse]
        if isinstance(content, ValidatorError):
            raise content
        return content

    def store(self, consumer: str, path: str, kind: str, parse: Parser, **more: Any) -> CaStore:
        """Return the file at ``path`` as a store. What keeps it from being read becomes its ``unreadable``."""
        try:
            real = self.engine.resolve(path)
            found = self.sort(self.content(path, parse))
        except ValidatorError as error:
            reason = clean_path(error.message)
            return CaStore(consumer, clean_path(path), kind, clean_path(path), unreadable=reason, **more)
        return CaStore(consumer, clean_path(path), kind, clean_path(real), **found, **more)

    def sort(self, content: Content) -> dict[str, Any]:
        """Return the fields of CaStore that list what ``content`` holds. Raises FactError if there is too much."""
        lists: dict[str, list[str]] = {TRUSTED: [], DISTRUSTED: [], UNKNOWN: []}
        unparsed = list(content.unparsed)
        self._listed += len(content.certificates) + len(unparsed)
        if self._listed > MAX_LISTED:
            raise FactError(f"more than {MAX_LISTED} certificates in all stores")
        for index, (trust, der) in enumerate(content.certificates, start=1):
            added = self.add(der, index)
            if isinstance(added, Unparsed):
                unparsed.append(added)
            else:
                lists[trust].append(added)
        return {
            "certificates": tuple(lists[TRUSTED]),
            "distrusted": tuple(lists[DISTRUSTED]),
            "unknown": tuple(lists[UNKNOWN]),
            "unparsed": tuple(unparsed),
        }

    def add(self, der: bytes, index: int = 1) -> str | Unparsed:
        """Return the sha256 of a certificate, which is then in the pool. Raises FactError if the pool is full."""
        digest = hashlib.sha256(der).hexdigest()
        if digest in self.certificates:
            return digest
        if digest in self._damaged:
            return replace(self._damaged[digest], index=index)
        if len(self.certificates) + len(self._damaged) >= MAX_POOL:
            raise FactError(f"more than {MAX_POOL} different certificates")
        loaded = load_certificate(der, index)
        if isinstance(loaded, Unparsed):
            self._damaged[digest] = loaded
            return loaded
        self.certificates[digest] = loaded
        self.ders[digest] = base64.b64encode(der).decode()
        return digest

    def der(self, digest: str) -> bytes:
        """Return the DER form of a certificate in the pool."""
        return base64.b64decode(self.ders[digest])

    def _read(self, real: str, parse: Parser, limit: int) -> Content | ValidatorError:
        try:
            data = self.engine.read(real, limit=min(limit, self._left))
        except ReadLimitError as error:
            if limit > self._left:
                return FactError(f"{real}: not read: the files with CAs have more than {TOTAL_LIMIT} bytes in all")
            return error
        except ValidatorError as error:
            return error
        self._left -= len(data)
        try:
            content = parse(data)
        except ValidatorError as error:
            return FactError(f"{real}: {error.message}", error.hint)
        self._note_keys(real, content.keys)
        return content

    def _note_keys(self, real: str, keys: list[tuple[int, str]]) -> None:
        if not keys or len(self.keys) + len(keys) > MAX_KEYS:
            return
        entry = self.engine.lstat(real)
        mode = entry.mode & 0o7777 if entry else 0
        client = "/certs.d/" in real and real.endswith(".key")
        for line, kind in keys:
            self.keys[real, line] = PrivateKey(clean_path(real), line, kind, mode, client)
