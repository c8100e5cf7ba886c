"""The one door for subprocesses: arguments as a list, always a time limit, never a shell.

Programs that parse hostile input run under prlimit(1), so that a crafted image cannot take the host's memory or CPU.
"""

import contextlib
import os
import select
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from diskimage_validator.errors import EngineError
from diskimage_validator.frozen import dataclass

STOP_TIMEOUT = 5.0
LOCALE = {"LC_ALL": "C.UTF-8", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

_MORTAL: Final = ("setpriv", "--pdeathsig=KILL", "--")
"""In front of a command that is to be ended with the thread that started it: PR_SET_PDEATHSIG, prctl(2)."""
NOT_FOUND: Final = 127
MAX_ERRORS: Final = 64 * 1024


@dataclass(frozen=True)
class Limits:
    """Limits for one process: address space in bytes, CPU time in seconds (setrlimit(2)), None for no limit.

    ``file_size`` is what it may write into a file, in bytes; None for no limit.
    """

    address_space: int = 1 << 30
    cpu_seconds: int | None = 30
    file_size: int | None = None

    def command(self) -> list[str]:
        """Return the prlimit(1) call that goes in front of a command."""
        time = [] if self.cpu_seconds is None else [f"--cpu={self.cpu_seconds}"]
        size = [] if self.file_size is None else [f"--fsize={self.file_size}"]
        return ["prlimit", f"--as={self.address_space}", *time, *size, "--core=0", "--"]


@dataclass(frozen=True)
class Completed:
    """A finished process: exit status and the two outputs as text (undecodable bytes are replaced)."""

    status: int
    stdout: str
    stderr: str


def find_program(name: str) -> Path | None:
    """Return the path of the program ``name``, or None if the host has none."""
    found = shutil.which(name, path=LOCALE["PATH"])
    return Path(found) if found else None


def run(command: Sequence[str], *, timeout: float, limits: Limits | None = None) -> Completed:
    """Run ``command`` to its end, without standard input, and return what it said. Any exit status is returned.

    ``timeout`` is in seconds. With ``limits`` it ends, like a Service, with the thread that called. Raises EngineError
    if the program is missing or does not finish in time.
    """
    _need(command[0])
    full = [*limits.command(), *_MORTAL, *command] if limits else command
    try:
        done = subprocess.run(
            full,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
            env=LOCALE,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{command[0]} did not finish within {timeout:.0f} s") from error
    return Completed(done.returncode, done.stdout, done.stderr)


def run_bounded(command: Sequence[str], *, timeout: float, limit: int) -> Completed:
    """Run ``command`` as ``run`` does, with at most ``limit`` bytes of standard output, and 64 KiB of errors kept.

    A program that is missing ends with status 127, as in a shell. What it started is ended with it when it exceeds the
    time or the limit: EngineError is raised then.
    """
    name = find_program(command[0])
    if name is None:
        return Completed(NOT_FOUND, "", f"{command[0]}: not found")
    deadline = time.monotonic() + timeout
    output, errors = bytearray(), bytearray()
    with (
        subprocess.Popen(
            [str(name), *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=LOCALE,
            start_new_session=True,
        ) as process,
        selectors.DefaultSelector() as selector,
    ):
        try:
            for stream in filter(None, (process.stdout, process.stderr)):
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    raise EngineError(f"{command[0]} did not finish within {timeout:.0f} s")
                for key, _ in ready:
                    data = os.read(key.fd, 1 << 16)
                    if not data:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is process.stdout:
                        output += data
                    else:
                        errors = (errors + data)[:MAX_ERRORS]
                if len(output) > limit:
                    raise EngineError(f"{command[0]}: more than {limit} bytes of output")
            status = process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise EngineError(f"{command[0]} did not finish within {timeout:.0f} s") from error
        finally:
            # The group has the process' own number until somebody has waited for it.
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
    return Completed(status, output.decode("utf-8", "replace"), errors.decode("utf-8", "replace"))


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
        full = [*limits.command(), *(_offline() if offline else ()), *_MORTAL, *command]
        for program in ("prlimit", "unshare", "setpriv", command[0]):
            _need(program)
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
            _end(self._process)
        finally:
            if self._process.stderr is not None and not self._process.stderr.closed:
                self._said = self._process.stderr.read()
                self._process.stderr.close()


class Worker:
    """A module of ours that runs in a process of its own and talks with us in lines."""

    def __init__(self, module: str) -> None:
        """Start ``module``. Raises EngineError if setpriv(1) is missing."""
        _need("setpriv")
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
            _end(self._process)
        finally:
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(BrokenPipeError):
                    if pipe:
                        pipe.close()


def _need(program: str) -> None:
    if find_program(program) is None:
        raise EngineError(f"{program} is not installed", f"install the package that provides {program}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End ``process``, at once if it does not listen."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        _wait(process, STOP_TIMEOUT)
    except BaseException as error:  # a second Ctrl-C must not leave it behind either
        process.kill()
        process.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise


def _wait(process: "subprocess.Popen[bytes]", timeout: float) -> None:
    """Do what ``Popen.wait`` does, which sleeps up to 50 ms between two looks, by pidfd_open(2)."""
    if process.poll() is None:
        descriptor = os.pidfd_open(process.pid)
        try:
            watched = select.poll()
            watched.register(descriptor, select.POLLIN)
            watched.poll(timeout * 1000)
        finally:
            os.close(descriptor)
    process.wait(0)


class Background:
    """A program that computes something beside us, out of a file: started now, waited for when its output is needed.

    Like a Service it ends when the thread that started it does.
    """

    def __init__(self, command: Sequence[str], *, stdin: int) -> None:
        """Start ``command`` with the open file ``stdin``. Raises EngineError if setpriv(1) is missing."""
        _need("setpriv")
        self.name = command[0]
        self._process = subprocess.Popen(
            [*_MORTAL, *command],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=LOCALE,
            text=True,
        )

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


def _offline() -> list[str]:
    """Return the unshare(1) call for a network namespace. Whoever is not root needs a user namespace around it."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-current-user"]
    return ["unshare", *user, "--net", "--"]
