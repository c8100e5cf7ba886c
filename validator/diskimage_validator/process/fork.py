"""A copy of this process that computes something from what we have in memory, while we go on."""

import gc
import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn, Self


class Fork:
    """A process that is made by fork(2) and writes what ``compute`` returns. Use it as a context manager.

    It steps back by ``nice``, as nice(2) does, and ends when the context does, at the latest. A lock that another
    thread holds at that moment stays locked in the copy, which has no other threads: so this is for who knows them all.
    """

    def __init__(self, compute: Callable[[], bytes], *, nice: int = 0) -> None:
        self._pid = 0
        self._pipe, writing = os.pipe()
        try:
            self._pid = os.fork()
            if not self._pid:
                _work(compute, nice, writing)
        except OSError:  # no process can be had
            os.close(self._pipe)
            raise
        finally:
            os.close(writing)

    def result(self, *, timeout: float, limit: int) -> bytes:
        """Wait for what was computed and return it, once: nothing if that failed, whatever was complete at its end.

        ``timeout``: seconds without a word after which it is given up; ``limit``: bytes of it that are taken.
        """
        received = bytearray()
        while self._pid and len(received) <= limit and select.select([self._pipe], [], [], timeout)[0]:
            part = os.read(self._pipe, 1 << 20)
            if not part:  # it has ended, or is about to
                return bytes(received) if self._end() == 0 else b""
            received += part
        self.close()
        return b""

    def close(self) -> None:
        """End the process at once. Calling it twice is harmless."""
        if self._pid:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._end()

    def _end(self) -> int:
        """Wait for its end, and return its exit status as os.waitstatus_to_exitcode does."""
        pid, self._pid = self._pid, 0
        os.close(self._pipe)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _work(compute: Callable[[], bytes], nice: int, writing: int) -> NoReturn:
    """Compute, write, and end, without anything that the first process does at its end: nothing here is the copy's."""
    status = 1
    try:
        gc.disable()
        os.nice(nice)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        with open(writing, "wb", closefd=False) as stream:
            stream.write(compute())
        status = 0
    finally:
        os._exit(status)
