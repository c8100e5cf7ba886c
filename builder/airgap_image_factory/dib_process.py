"""disk-image-create as a process: the lines that it says, and its end, wanted or not."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

GRACE: Final = 90.0
"""Seconds that diskimage-builder gets to clean up after it was told to stop."""
DRAIN: Final = 2.0
"""Seconds that the last lines may take to arrive when diskimage-builder's shell has ended: they go through a filter."""


def run_dib(command: Sequence[str], environment: Mapping[str, str], take: Callable[[str], None]) -> int:
    """Run ``command``, give every line of its output to ``take`` as it comes, and return its exit status.

    If this is interrupted, or ``take`` raises, diskimage-builder is ended: first by a SIGTERM, after which it cleans up
    itself, as it does too when this thread dies (PR_SET_PDEATHSIG, prctl(2)); then by force.
    """
    # A session of its own: a Ctrl-C then reaches diskimage-builder once, from here, and with all of its children.
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig=TERM", "--", *command],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    output = Output(process)
    try:
        output.relay(take)
        return process.wait()
    except BaseException:
        _end(process, output, take)
        raise
    finally:
        output.close()


class Output:
    """The lines of a process and of what it starts, until it has ended.

    Something that a hook left running may hold the pipe open for ever; that is not waited for.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        if process.stdout is None:
            raise ValueError("the process has no pipe")
        self._pipe = process.stdout
        os.set_blocking(self._pipe.fileno(), False)
        self._ended = os.pidfd_open(process.pid)
        self._rest = b""

    def relay(self, take: Callable[[str], None], timeout: float | None = None) -> bool:
        """Give lines to ``take`` until the process has ended, ``timeout`` seconds at most. Return whether it has."""
        deadline = None if timeout is None else time.monotonic() + timeout
        is_open, drained_by = True, None
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            selector.register(self._ended, selectors.EVENT_READ)
            while is_open or drained_by is None:
                until = min(filter(None, (deadline, drained_by)), default=None)
                ready = selector.select(None if until is None else max(0.0, until - time.monotonic()))
                if not ready:
                    break
                for key, _ in ready:
                    if key.fileobj is self._pipe:
                        is_open = self._read(take)
                        if not is_open:
                            selector.unregister(self._pipe)
                    else:
                        drained_by = time.monotonic() + DRAIN
                        selector.unregister(self._ended)
        if drained_by is not None and self._rest:
            take(self._rest.decode(errors="replace"))
            self._rest = b""
        return drained_by is not None

    def _read(self, take: Callable[[str], None]) -> bool:
        data = self._pipe.read(1 << 16)
        *lines, self._rest = (self._rest + (data or b"")).split(b"\n")
        for line in lines:
            take(line.decode(errors="replace") + "\n")
        return bool(data)

    def close(self) -> None:
        """Give the descriptors back."""
        self._pipe.close()
        os.close(self._ended)


def _end(process: "subprocess.Popen[bytes]", output: Output, take: Callable[[str], None]) -> None:
    """End the build: first ask diskimage-builder's shell, which then cleans up itself; then by force, everything.

    The shell alone is asked: a signal to the whole group ends its output filter too, and the clean-up with it.
    """

    def still_take(line: str) -> None:
        with suppress(Exception, SystemExit):
            take(line)

    for send, signum in ((os.kill, signal.SIGTERM), (os.killpg, signal.SIGKILL)):
        with suppress(ProcessLookupError):
            send(process.pid, signum)
        if output.relay(still_take, GRACE):
            process.wait()
            return
