"""What a booting machine says on its serial console: followed while it runs, kept within limits, shown cleaned.

Whoever made the image writes this text. It may be endless, and it may hold escape sequences that do things to a
terminal; so only the newest part is remembered, a log file ends at a limit, and people see lines of printable text.
"""

import os
import re
import threading
import time
from pathlib import Path
from typing import IO, Final

from diskimage_validator.errors import UsageError
from diskimage_validator.printable import printable

REMEMBERED: Final = 64 * 1024
"""Bytes of the newest output that are kept in memory."""
LOG_LIMIT: Final = 16 * 1024 * 1024
"""Bytes after which the log file ends. A boot says 0.1 MB; with everything switched on, 2 MB."""
MAX_LINE: Final = 400
PATIENCE: Final = 5.0
"""Seconds to wait for the end of the output once its process is gone."""

# ECMA-48: CSI sequences; strings (OSC, DCS, SOS, PM, APC) up to their end; all other escapes.
_MOVES: Final = re.compile(rb"\x1b\[[0-9;]*[HfJ]")
_ESCAPES: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]?|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)")


def clean_lines(data: bytes) -> list[str]:
    """Return the lines of ``data`` that say something, printable, without escape sequences, cut at MAX_LINE.

    What moves the cursor or clears the screen, as a boot menu does, ends a line.
    """
    text = _ESCAPES.sub(b"", _MOVES.sub(b"\n", data)).decode("utf-8", "replace")
    parts = (part.replace("\t", " ") for part in re.split(r"[\r\n\f\v]+", text))
    lines = ("".join(char for char in part if char >= " ").strip() for part in parts)
    return [printable(line, MAX_LINE) for line in lines if line]


class Console:
    """Follows ``stream``, the reading end of a pipe, in a thread until its end; ``log`` gets a copy of its bytes.

    ``silent_since`` is the ``time.monotonic()`` of the newest byte, at first of the beginning; ``size`` counts bytes.
    ``trouble`` says why the log has not got all, empty if it has: a disk that is full ends the log, and not the
    reading, without which the machine would wait. Raises UsageError if ``log`` cannot be written from the beginning.
    """

    def __init__(self, stream: IO[bytes], log: Path | None = None) -> None:
        self.size = 0
        self.silent_since = time.monotonic()
        self.trouble = ""
        self._stream = stream
        self._newest = bytearray()
        self._lock = threading.Lock()
        try:
            self._log = log.open("wb", buffering=0) if log else None
        except OSError as error:
            raise UsageError(f"cannot write {log}: {error.strerror}") from error
        self._thread = threading.Thread(target=self._follow, name="serial console", daemon=True)
        self._thread.start()

    def lines(self, count: int) -> list[str]:
        """Return the last ``count`` lines so far, as ``clean_lines`` makes them."""
        with self._lock:
            newest = bytes(self._newest)
        return clean_lines(newest)[-count:]

    def close(self) -> None:
        """Wait for the end of the output, which is that of the process that writes it, and close the log."""
        self._thread.join(PATIENCE)
        if not self._thread.is_alive():
            self._stream.close()
            self._end_log()

    def _follow(self) -> None:
        descriptor = self._stream.fileno()
        while data := os.read(descriptor, REMEMBERED):
            with self._lock:
                self._newest += data
                del self._newest[:-REMEMBERED]
                room, self.size = LOG_LIMIT - self.size, self.size + len(data)
                self.silent_since = time.monotonic()
            self._write(data[: max(room, 0)])

    def _write(self, data: bytes) -> None:
        """Append ``data`` to the log, if there still is one."""
        try:
            while self._log and data:
                data = data[self._log.write(data) :]
        except OSError as error:
            self._note(error)
            self._end_log()

    def _end_log(self) -> None:
        log, self._log = self._log, None
        try:
            if log:
                log.close()
        except OSError as error:  # some file systems tell it no sooner: close(2)
            self._note(error)

    def _note(self, error: OSError) -> None:
        self.trouble = self.trouble or f"the serial log is not complete: {error.strerror or error}"
