"""One header of an RPM database: the blob that all its back ends hold, and what it says of a package.

A blob is two counts, an index of 16 bytes per tag and the data, all big-endian: "Immutable regions" and "Header
format" of RPM's own manual (``docs/manual/format_header.md``, ``hregions.md``). Tags that were added at installation
follow the region that the package came with, and win over it. Numbers of tags: ``include/rpm/rpmtag.h``.
"""

import base64
import binascii
import struct
from typing import Final

from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.openpgp import UNKNOWN, issuer
from diskimage_validator.printable import decode

MAX_HEADER: Final = 64 * 1024 * 1024
"""Bytes of one header. RPM itself allows 256 MiB; the largest of a distribution has less than 20."""
MAX_TAGS: Final = 65_535
MAX_TEXT: Final = 4096

NAME: Final = 1000
VERSION: Final = 1001
RELEASE: Final = 1002
EPOCH: Final = 1003
SUMMARY: Final = 1004
INSTALL_TIME: Final = 1008
DISTRIBUTION: Final = 1010
VENDOR: Final = 1011
PACKAGER: Final = 1015
ARCH: Final = 1022
SIGNATURES: Final = (268, 267, 259, 262)
"""RSAHEADER, DSAHEADER, SIGPGP, SIGGPG: over the header, then the older ones over header and payload."""
OPENPGP: Final = 278
"""The same of RPM 6, as an array of base64 texts."""

_WIDTHS: Final = {0: 0, 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 1, 9: 1}
"""Bytes of one value by type; of the texts (6, 8, 9), the least that one takes."""
_CHAR: Final = 1
_INT16: Final = 3
_INT32: Final = 4
_BINARY: Final = 7
_TEXTS: Final = (6, 8, 9)


class Header:
    """The tags of one blob. Raises FactError, here or when a tag is asked for, for what RPM would not have written."""

    def __init__(self, blob: bytes) -> None:
        if len(blob) > MAX_HEADER:
            raise FactError(f"a header of {len(blob)} bytes")
        if len(blob) < 8:
            raise FactError(f"a header of {len(blob)} bytes is cut off")
        tags, size = struct.unpack_from(">II", blob)
        start = 8 + 16 * tags
        if not 0 < tags <= MAX_TAGS or start + size != len(blob):
            raise FactError(f"a header of {len(blob)} bytes says that it has {tags} tags and {size} bytes of data")
        self._data = blob[start:]
        self._tags: dict[int, tuple[int, int, int]] = {}
        for tag, kind, offset, count in struct.iter_unpack(">IIII", blob[8:start]):
            width = _WIDTHS.get(kind)
            if width is None or offset + width * count > size:
                raise FactError(f"tag {tag} of a header, type {kind}, leads out of it")
            self._tags[tag] = (kind, offset, count)

    def text(self, tag: int) -> str:
        """Return the text of ``tag``, the first if it has several; empty if it is not there."""
        return next(iter(self.texts(tag, 1)), "")

    def texts(self, tag: int, limit: int) -> list[str]:
        """Return up to ``limit`` texts of ``tag``."""
        return [decode(text) for text in self._texts(tag, limit)]

    def paths(self, tag: int, limit: int) -> list[str]:
        """Return up to ``limit`` texts of ``tag`` as an engine takes them: what is not UTF-8 is surrogate-escaped."""
        return [text.decode("utf-8", "surrogateescape") for text in self._texts(tag, limit)]

    def _texts(self, tag: int, limit: int) -> list[bytes]:
        if tag not in self._tags:
            return []
        kind, position, count = self._tags[tag]
        if kind not in _TEXTS:
            raise FactError(f"tag {tag} of a header is no text but of type {kind}")
        found = []
        for _ in range(min(count, limit)):
            end = self._data.find(b"\0", position, position + MAX_TEXT + 1)
            if end < 0:
                raise FactError(f"tag {tag} of a header has no end, or more than {MAX_TEXT} bytes")
            found.append(self._data[position:end])
            position = end + 1
        return found

    def number(self, tag: int) -> int | None:
        """Return the 32-bit number of ``tag``, unsigned; None if it is not there."""
        if tag not in self._tags:
            return None
        kind, offset, count = self._tags[tag]
        if kind != _INT32 or count != 1:
            raise FactError(f"tag {tag} of a header is no number but of type {kind}, {count} times")
        return int(struct.unpack_from(">I", self._data, offset)[0])

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return the 32-bit numbers of ``tag``, unsigned; none if it is not there."""
        return self._values(tag, _INT32, "I")

    def shorts(self, tag: int) -> tuple[int, ...]:
        """Return the 16-bit numbers of ``tag``, unsigned; none if it is not there."""
        return self._values(tag, _INT16, "H")

    def chars(self, tag: int) -> tuple[int, ...]:
        """Return the numbers of one byte of ``tag``, unsigned; none if it is not there."""
        return self._values(tag, _CHAR, "B")

    def _values(self, tag: int, kind: int, form: str) -> tuple[int, ...]:
        found, offset, count = self._tags.get(tag, (kind, 0, 0))
        if found != kind:
            raise FactError(f"tag {tag} of a header is not of type {kind} but of type {found}")
        return struct.unpack_from(f">{count}{form}", self._data, offset)

    def binary(self, tag: int) -> bytes | None:
        """Return the bytes of ``tag``; None if it is not there."""
        if tag not in self._tags:
            return None
        kind, offset, count = self._tags[tag]
        if kind != _BINARY:
            raise FactError(f"tag {tag} of a header is not binary but of type {kind}")
        return self._data[offset : offset + count]

    @property
    def full_version(self) -> str:
        """``[epoch:]version-release``; an epoch of 0 is left out. Raises FactError if a part is missing."""
        version, release = self.text(VERSION), self.text(RELEASE)
        if not version or not release:
            raise FactError(f"the package '{self.text(NAME)[:80]}' has no version or no release")
        epoch = self.number(EPOCH)
        return f"{epoch}:{version}-{release}" if epoch else f"{version}-{release}"

    @property
    def signing_key(self) -> str:
        """Key id (16 hex digits) of the key that signed the package, ``unknown``, or empty if it is not signed."""
        for tag in SIGNATURES:
            packet = self.binary(tag)
            if packet is not None:
                return issuer(packet)
        for text in self.texts(OPENPGP, 1):
            try:
                return issuer(base64.b64decode(text, validate=True))
            except (binascii.Error, ValueError):
                return UNKNOWN
        return ""
