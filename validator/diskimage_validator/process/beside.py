"""Programs that run beside us: one that serves until it is stopped, one that computes until its answer is needed."""

import contextlib
import os
import subprocess
from collections.abc import Sequence
from typing import IO

from diskimage_validator.errors import EngineError
from diskimage_validator.process import LOCALE, MORTAL, Limits, need, offline_command
from diskimage_validator.process.ending import end


class Service:
    """A program that runs beside us until ``stop``, without standard input and with its standard output thrown away.

    With ``talks`` both outputs are one pipe instead, ``output``, which somebody has to read all the time and to close.
    ``inherits`` are descriptors that it gets under their numbers.

    It is a child of ours that does not become a daemon, so its process id is ours to signal. It also ends when the
    thread that started it does, however that happens (PR_SET_PDEATHSIG, prctl(2)). With ``offline`` it is in a network
    namespace of its own, where not even the loopback is up.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        limits: Limits,
        offline: bool,
        talks: bool = False,
        inherits: Sequence[int] = (),
    ) -> None:
        """Start ``command``. Raises EngineError if the program, or one of util-linux that starts it, is missing."""
        full = [*limits.command(), *(offline_command() if offline else ()), *MORTAL, *command]
        for program in ("prlimit", "unshare", "setpriv", command[0]):
            need(program)
        self.name = command[0]
        self._said = b""
        self._process = subprocess.Popen(
            full,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if talks else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if talks else subprocess.PIPE,
            env=LOCALE,
            pass_fds=inherits,
        )
        self._output = self._process.stdout

    @property
    def output(self) -> IO[bytes]:
        """The pipe of a program that ``talks``."""
        if self._output is None:
            raise ValueError(f"{self.name} was started without a pipe")
        return self._output

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def status(self) -> int | None:
        """Its exit status, the negative number of the signal that ended it, or None while it runs."""
        return self._process.poll()

    def wait(self, timeout: float) -> bool:
        """Wait for its end, ``timeout`` seconds at most. Return whether it has ended."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def last_words(self) -> str:
        """Stop it, and return the last line that it wrote on standard error, or else its exit status."""
        self.stop()
        lines = self._said.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self._process.returncode}"

    def stop(self) -> None:
        """End it, at once if it does not listen. Calling it twice is harmless."""
        try:
            end(self._process)
        finally:
            if self._process.stderr is not None and not self._process.stderr.closed:
                self._said = self._process.stderr.read()
                self._process.stderr.close()


class Background:
    """A program that computes something beside us, out of a file: started now, waited for when its output is needed.

    Like a Service it ends when the thread that started it does.
    """

    def __init__(self, command: Sequence[str], *, stdin: int, nice: int = 0) -> None:
        """Start ``command`` with the open file ``stdin``, as much nicer than we are. Raises EngineError.

        For it needs setpriv(1).
        """
        need("setpriv")
        self.name = command[0]
        self._process = subprocess.Popen(
            [*MORTAL, *command],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=LOCALE,
            text=True,
        )
        with contextlib.suppress(OSError):  # it has ended
            os.setpriority(os.PRIO_PROCESS, self._process.pid, os.getpriority(os.PRIO_PROCESS, 0) + nice)

    def hurry(self) -> None:
        """Be no nicer than we are, as far as the system lets us say so: it is waited for now."""
        with contextlib.suppress(OSError):  # without CAP_SYS_NICE, or it has ended
            os.setpriority(os.PRIO_PROCESS, self._process.pid, os.getpriority(os.PRIO_PROCESS, 0))

    def result(self) -> str:
        """Return the output, once. Raises EngineError if the program failed."""
        try:
            output, _ = self._process.communicate()
        except BaseException:  # Ctrl-C
            self.stop()
            raise
        if self._process.returncode:
            raise EngineError(f"{self.name} ended with status {self._process.returncode}")
        return output

    def stop(self) -> None:
        """End it at once. Calling it twice is harmless."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
