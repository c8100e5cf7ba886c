"""A module of ours in a process of its own."""

import contextlib
import signal
import subprocess
import sys

from diskimage_validator.process import need
from diskimage_validator.process.ending import end


class Worker:
    """A module of ours that runs in a process of its own and talks with us in lines."""

    def __init__(self, module: str) -> None:
        """Start ``module``. Raises EngineError if setpriv(1) is missing."""
        need("setpriv")
        # -P: a folder that we happen to be in is no place for modules.
        command = ["setpriv", "--pdeathsig=TERM", "--", sys.executable, "-P", "-m", module]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def write(self, data: bytes) -> None:
        """Send ``data``. A process that has ended is no error here: it will not answer either."""
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError, ValueError):  # ValueError: stopped by another thread
                self._process.stdin.write(data)
                self._process.stdin.flush()

    def readline(self, limit: int) -> bytes:
        """Return the next line, ``limit`` bytes of it at most; nothing if the process has ended."""
        try:
            return self._process.stdout.readline(limit) if self._process.stdout else b""
        except ValueError:  # closed by another thread
            return b""

    def ending(self) -> str:
        """Wait for the end of the process, and say how it came."""
        self.stop()
        code = self._process.returncode
        return f"killed by signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"

    def stop(self) -> None:
        """End it, at once if it does not listen. Calling it twice is harmless."""
        try:
            end(self._process)
        finally:
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(BrokenPipeError):
                    if pipe:
                        pipe.close()
