"""The log of a build: diskimage-builder's lines passed on, ours between them in the same form, and what they tell.

Like diskimage-builder's own filter it writes to standard output, or to the file that ``--logfile`` names, or to both.
"""

import os
import re
import select
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from airgap_image_factory.gate.front import is_interrupted

NAME: Final = "disk-image-create-validated"
PATIENCE: Final = 1.0
"""Seconds that a reader of the log gets for a line when everything is to end."""
KEPT: Final = 200

_STAMP: Final = re.compile(r"^\d{4}-\d\d-\d\d \S+ \| ")
_TRACE: Final = re.compile(r"^\++ ")
_CLEANUP: Final = re.compile(r"^(Unmount |INFO |\*\*\* |State already cleaned)|dib-run-parts|^$")
_FULL: Final = re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE)
_KILLED: Final = re.compile(r"(^|: +\d+ )Killed\b|Cannot allocate memory|Out of memory")
_ERROR: Final = re.compile(r"^(ERROR|E|error|fatal): ")


class BuildLog:
    """Where the lines go. ``is_heard`` becomes false when nobody reads standard output any more."""

    def __init__(self, logfile: Path | None, environment: Mapping[str, str]) -> None:
        quiet = environment.get("DIB_QUIET") or ("1" if logfile else "0")
        self._loud = quiet != "1"
        self._stamps = environment.get("DIB_NO_TIMESTAMP") != "1"
        self._logfile = logfile
        self._lines: deque[str] = deque(maxlen=KEPT)
        self._errors: deque[str] = deque(maxlen=KEPT)
        self.is_heard = True

    def passes(self, line: str) -> None:
        """Take a line of diskimage-builder's, which wrote it to the log file itself."""
        self._write(line)
        self._learn(_STAMP.sub("", line.rstrip("\n")))

    def say(self, text: str) -> None:
        """Write lines of ours."""
        for line in text.splitlines():
            stamp = f"{datetime.now(UTC).strftime('%Y-%m-%d %H:%M:%S.%f')[:-3]} | "
            if self._loud:
                self._write(f"{stamp if self._stamps else ''}{line}\n")
            if self._logfile is not None:
                try:
                    with self._logfile.open("a") as file:
                        file.write(f"{stamp}{line}\n")
                except OSError:  # a full disk: what there is to say is on standard output too
                    self._loud = True

    def say_last(self, line: str) -> None:
        """Write the last line; on standard error too, where ``--logfile`` keeps the log from standard output."""
        self.say(" ".join(line.split()))
        if not self._loud:
            with suppress(OSError):
                os.write(2, f"{' '.join(line.split())}\n".encode(errors="backslashreplace"))

    def reason(self, status: int) -> str:
        """Return in a line why diskimage-builder ended with ``status``, as far as its log tells."""
        if self._logfile is not None and not self._lines:
            self._read_logfile()
        for pattern, words in ((_FULL, "disk full"), (_KILLED, "a process was killed, out of memory perhaps")):
            if found := next(filter(pattern.search, self._errors), None):
                return f"{words}: {found}"
        if status in (137, -9):
            return "a process was killed (SIGKILL), out of memory perhaps"
        for line in (*reversed(self._errors), *reversed(self._lines)):
            if not _CLEANUP.search(line):
                return line
        return f"disk-image-create ended with status {status}"

    def _read_logfile(self) -> None:
        if self._logfile is not None and self._logfile.exists():
            with self._logfile.open(errors="replace") as file:
                for line in file:
                    self._learn(_STAMP.sub("", line.rstrip("\n")))

    def _learn(self, line: str) -> None:
        if _TRACE.match(line):
            return
        self._lines.append(line)
        if _FULL.search(line) or _KILLED.search(line) or _ERROR.search(line):
            self._errors.append(line)

    def _write(self, text: str) -> None:
        data = memoryview(text.encode(errors="backslashreplace"))
        while data and self.is_heard:
            if is_interrupted() and not select.select([], [1], [], PATIENCE)[1]:
                self.is_heard = False
                return
            try:
                # A pipe takes PIPE_BUF bytes without waiting once it is said to be writable, pipe(7).
                data = data[os.write(1, data[: select.PIPE_BUF]) :]
            except BlockingIOError:
                select.select([], [1], [], PATIENCE)
            except OSError:
                self.is_heard = False
