"""Bytes of the volume, read in windows that are kept for a while."""

from collections.abc import Callable, Iterable
from typing import Final

from diskimage_validator.errors import DeclinedError

WINDOW_BITS: Final = 16
WINDOW: Final = 1 << WINDOW_BITS
"""Bytes of a window: mostly a cluster of a qcow2 file. QEMU unpacks a compressed one whole, each time it is read."""
KEPT: Final = 64
"""Windows that are kept: 4 MiB. What belongs together lies together, so more would hardly be asked for again."""


class Volume:
    """The file system's bytes. ``read`` gets (offset, length) and returns exactly ``length`` bytes or raises.

    ``expect`` gets the same, beforehand, and returns at once.
    """

    def __init__(
        self, read: Callable[[int, int], bytes], size: int, expect: Callable[[int, int], object] | None = None
    ) -> None:
        self.size = size
        self._read = read
        self._expect = expect
        self._windows: dict[int, bytes] = {}

    def expect(self, numbers: Iterable[int]) -> None:
        """Be told of windows that will be asked for soon. One that is not on the volume is left out."""
        if self._expect is not None:
            for number in numbers:
                offset = number << WINDOW_BITS
                if number not in self._windows and 0 <= offset < self.size:
                    self._expect(offset, min(WINDOW, self.size - offset))

    def window(self, number: int) -> bytes:
        """Return the bytes from ``number * WINDOW``: WINDOW of them, fewer at the end of the volume."""
        held = self._windows.get(number)
        if held is None:
            offset = number << WINDOW_BITS
            held = self._fetch(offset, min(WINDOW, self.size - offset))
            if len(self._windows) >= KEPT:
                del self._windows[next(iter(self._windows))]
            self._windows[number] = held
        return held

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes. Raises DeclinedError if they are not all on the volume.

        What is longer than a window is not kept: it is the content of a large file.
        """
        if length > WINDOW:
            return self._fetch(offset, length)
        first, start = offset >> WINDOW_BITS, offset & (WINDOW - 1)
        data = self.window(first)[start : start + length]
        if len(data) < length:
            data += self.window(first + 1)[: length - len(data)]
        if len(data) < length:
            raise DeclinedError(f"ext: {length} bytes at {offset} are not all on the volume")
        return data

    def _fetch(self, offset: int, length: int) -> bytes:
        if offset < 0 or length <= 0 or offset + length > self.size:
            raise DeclinedError(f"ext: {length} bytes at {offset} are not on the volume, which has {self.size}")
        return self._read(offset, length)
