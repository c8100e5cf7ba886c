"""The database of RPM up to EL8, ``Packages``: a hash table of Berkeley DB from package numbers to headers.

The format is that of Berkeley DB's ``dbinc/db_page.h``, as far as RPM's own reader (``lib/backend/bdb_ro.c``) needs it.
Page 0 describes the table. A bucket is a chain of pages with pairs of items, which lie in a page from its end
backwards. An item that is too large for that is a reference to a chain of overflow pages. No page has two owners:
whatever is met twice is a cycle or a trap, and an error.
"""

import struct
from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.rpm_data import Data, Headers
from diskimage_validator.facts.rpm_header import MAX_HEADER

MAGIC: Final = 0x061561
VERSIONS: Final = (8, 9, 10)
PAGE_HEADER: Final = 26
META_SIZE: Final = 512
HASH_META: Final = 8
HASH_PAGES: Final = (2, 13)
"""Types of pages with items: unsorted (before Berkeley DB 4.6), and sorted."""
OVERFLOW_PAGE: Final = 7
ON_PAGE: Final = 1
OFF_PAGE: Final = 3


def headers(data: Data) -> Headers:
    """Yield the headers in the order in which they were installed. Raises FactError for anything damaged."""
    yield from _Table(data).headers()


class _Table:
    """The hash table. ``_order`` is the byte order, that of the machine which wrote it."""

    def __init__(self, data: Data) -> None:
        if len(data) < META_SIZE:
            raise FactError(f"{len(data)} bytes are no database of Berkeley DB")
        self._data = data
        self._seen: set[int] = set()
        self._order = next((order for order in "<>" if struct.unpack_from(f"{order}I", data, 12)[0] == MAGIC), "")
        if not self._order:
            raise FactError("no hash table of Berkeley DB")
        version, self._size, encryption, kind, flags = self._unpack("IIBBB", 16)
        (self._last,) = self._unpack("I", 32)
        (self._buckets,) = self._unpack("I", 72)
        if version not in VERSIONS or kind != HASH_META or encryption or flags:
            raise FactError(f"a hash table of version {version}, type {kind}, flags {flags} is not known")
        if self._size not in (512 << power for power in range(8)) or (self._last + 1) * self._size > len(data):
            raise FactError(f"{len(data)} bytes cannot have {self._last + 1} pages of {self._size}: it is cut off")
        if self._buckets > self._last:
            raise FactError(f"a hash table with {self._buckets + 1} buckets on {self._last} pages")
        self._spares = self._unpack("32I", 96)

    def _unpack(self, form: str, position: int) -> tuple[int, ...]:
        return struct.unpack_from(self._order + form, self._data, position)

    def headers(self) -> Iterator[bytes]:
        """Yield what ``headers`` of the module does."""
        found: dict[int, tuple[int, int]] = {}
        for bucket in range(self._buckets + 1):
            for start in self._chain(bucket + self._spares[bucket.bit_length()]):
                for key, value in self._pairs(start):
                    number = self._key(key)
                    if number in found:
                        raise FactError(f"package {number} is there twice")
                    found[number] = value
        found.pop(0, None)  # where RPM keeps the next number
        for _, (start, end) in sorted(found.items()):
            yield self._value(start, end)

    def _chain(self, page: int) -> Iterator[int]:
        """Yield where the pages of a bucket begin, ``page`` and those that it leads to."""
        while True:
            start = self._enter(page, HASH_PAGES)
            yield start
            (page,) = self._unpack("I", start + 16)
            if page == 0:
                return

    def _enter(self, page: int, kinds: tuple[int, ...]) -> int:
        """Return where ``page`` begins."""
        if not 0 < page <= self._last or page in self._seen:
            raise FactError(f"page {page} is not there, or has two owners")
        self._seen.add(page)
        start = page * self._size
        (number,) = self._unpack("I", start + 8)
        kind = self._data[start + 25]
        if number != page or kind not in kinds:
            raise FactError(f"page {page} calls itself {number} and is of type {kind}")
        return start

    def _pairs(self, start: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """Yield (start, end) of key and value for every pair on a page."""
        (count,) = self._unpack("H", start + 20)
        if count % 2 or PAGE_HEADER + 2 * count > self._size:
            raise FactError(f"a page with {count} items")
        end = self._size
        items = []
        for offset in self._unpack(f"{count}H", start + PAGE_HEADER):
            if not PAGE_HEADER + 2 * count <= offset < end:
                raise FactError("items of a page overlap")
            items.append((start + offset, start + end))
            end = offset
        yield from zip(items[::2], items[1::2], strict=True)

    def _key(self, item: tuple[int, int]) -> int:
        start, end = item
        if self._data[start] != ON_PAGE or end - start != 5:
            raise FactError("a key that is no package number")
        return self._unpack("I", start + 1)[0]

    def _value(self, start: int, end: int) -> bytes:
        kind = self._data[start]
        if kind == ON_PAGE:
            return self._data[start + 1 : end]
        if kind != OFF_PAGE or end - start != 12:
            raise FactError(f"an item of type {kind}, {end - start} bytes")
        page, length = self._unpack("II", start + 4)
        if length > MAX_HEADER:
            raise FactError(f"a header of {length} bytes")
        parts: list[bytes] = []
        missing = length
        while missing:
            at = self._enter(page, (OVERFLOW_PAGE,))
            page, used = self._unpack("I", at + 16)[0], self._unpack("H", at + 22)[0]
            if not 0 < used <= min(missing, self._size - PAGE_HEADER):
                raise FactError(f"an overflow page with {used} bytes, where {missing} are missing")
            parts.append(self._data[at + PAGE_HEADER : at + PAGE_HEADER + used])
            missing -= used
        return b"".join(parts)
