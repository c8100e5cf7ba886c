"""Random access to a disk through a bounded cache of blocks.

A compressed qcow2 is decompressed cluster by cluster, and QEMU does not keep what it decompressed: whoever reads 4 KiB
at a time would have each cluster decompressed sixteen times. So everything is read in blocks of the cluster's size.
And it takes as long to decompress one as to make use of it: who knows what comes next says so, and QEMU does it beside.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from diskimage_validator.errors import DeclinedError

Read = Callable[[int, int], bytes]
"""From offset and length, in bytes, to exactly that many bytes; raises DeclinedError if they are not there."""

BLOCK: Final = 64 * 1024
"""qcow2's default cluster size, in bytes."""
CACHED: Final = 8 * 1024 * 1024
"""Bytes. Readers of file systems keep what they need again; four times as much saves one request in ten."""
LEAST_BLOCKS: Final = 16
"""Blocks that are kept at least, of 2 MiB at most: the largest cluster of qcow2."""
AHEAD: Final = 2
"""Blocks that are read at once where one follows another."""
AT_ONCE: Final = 12
"""Blocks that were asked for and not taken yet. QEMU works on 16 requests of a client at a time."""
MOST_AT_ONCE: Final = 4 * 1024 * 1024
"""Bytes of them."""


class Blocks:
    """``size`` bytes of which ``source`` returns any part; ``read`` is the same with a cache in between.

    ``block`` is how many bytes cost hardly more to read than one. ``begin`` is told what ``source`` would be, and
    returns at once, with a function that returns these bytes; without it nothing is read beside.
    """

    def __init__(
        self,
        source: Callable[[int, int], bytes | bytearray],
        size: int,
        block: int = BLOCK,
        begin: Callable[[int, int], Callable[[], bytes | bytearray]] | None = None,
    ) -> None:
        self._source = source
        self._begin = begin
        self._asked: dict[int, Callable[[], bytes | bytearray]] = {}
        self._at_once = min(AT_ONCE, MOST_AT_ONCE // block)
        self._size = size
        self._block_size = block
        self._kept = max(CACHED // block, LEAST_BLOCKS)
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._expected = -1

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``. Raises DeclinedError if that is not all on the disk."""
        check_bounds(offset, length, self._size)
        if length == 0:
            return b""
        number, start = divmod(offset, self._block_size)
        if start + length <= self._block_size:
            return self._block(number)[start : start + length]
        last = (offset + length - 1) // self._block_size
        if last - number >= self._kept // 4:  # so much at once would only drive out what is needed again
            return bytes(self._source(offset, length))
        self._fill(number, last)
        return b"".join(self._block(each) for each in range(number, last + 1))[start : start + length]

    def expect(self, offset: int, length: int) -> bytes:
        """Be told that ``read`` will be asked for this soon, most likely. Return nothing: it is a Read by its form.

        So whatever makes another Read of one, of a partition of a disk for instance, makes another of this, too.
        """
        check_bounds(offset, length, self._size)
        size = self._block_size
        for number in range(offset // size, -(-(offset + length) // size)):
            if self._begin is None or number in self._cache or number in self._asked:
                continue
            if len(self._asked) >= self._at_once:
                self._take(next(iter(self._asked)))
            start = number * size
            self._asked[number] = self._begin(start, min(size, self._size - start))
        return b""

    def forget(self) -> None:
        """Take nothing more of what was asked for: it is no longer on its way to us."""
        self._asked.clear()

    def _take(self, number: int) -> None:
        """Move a block that was asked for to the cache."""
        self._keep(number, bytes(self._asked.pop(number)()))

    def _keep(self, number: int, block: bytes) -> None:
        self._cache[number] = block
        self._cache.move_to_end(number)
        while len(self._cache) > self._kept:
            self._cache.popitem(last=False)

    def _block(self, number: int) -> bytes:
        if number in self._asked:
            self._take(number)
        found = self._cache.get(number)
        if found is None:
            self._fetch(number, AHEAD if number == self._expected else 1)
            return self._cache[number]
        self._cache.move_to_end(number)
        return found

    def _fill(self, first: int, last: int) -> None:
        """Have all blocks from ``first`` to ``last`` in the cache, asking once for each gap in it."""
        start = first
        while start <= last:
            if start in self._asked:
                self._take(start)
            if start in self._cache:
                self._cache.move_to_end(start)
                start += 1
                continue
            end = start + 1
            while end <= last and end not in self._cache and end not in self._asked:
                end += 1
            self._fetch(start, end - start)
            start = end

    def _fetch(self, number: int, count: int) -> None:
        size = self._block_size
        data = self._source(number * size, min(count * size, self._size - number * size))
        for start in range(0, len(data), size):
            self._keep(number, bytes(data[start : start + size]))
            number += 1
        self._expected = number


def check_bounds(offset: int, length: int, size: int) -> None:
    """Raise DeclinedError unless ``length`` bytes at ``offset`` are within ``size``."""
    if offset < 0 or length < 0 or offset + length > size:
        raise DeclinedError(f"{length} bytes at {offset} are wanted of what has {size}: the disk is cut off or damaged")


def window(read: Read, start: int, size: int) -> Read:
    """Return a Read of the ``size`` bytes from ``start`` on of what ``read`` reads: a partition of a disk."""

    def read_inside(offset: int, length: int) -> bytes:
        check_bounds(offset, length, size)
        return read(start + offset, length)

    return read_inside
