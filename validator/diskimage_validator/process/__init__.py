"""The one door for subprocesses: arguments as a list, always a time limit, never a shell.

Here is what runs to its end; what runs beside us is in ``process.beside``, and a module of ours in ``process.worker``.
Programs that parse hostile input run under prlimit(1), so that a crafted image cannot take the host's memory or CPU.
"""

import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from diskimage_validator.errors import EngineError
from diskimage_validator.frozen import dataclass

LOCALE = {"LC_ALL": "C.UTF-8", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

MORTAL: Final = ("setpriv", "--pdeathsig=KILL", "--")
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
    """A finished process: exit status and the two outputs as text (undecodable bytes are replaced).

    ``note`` says what it had to do without, for the report.
    """

    status: int
    stdout: str
    stderr: str
    note: str = ""


def find_program(name: str) -> Path | None:
    """Return the path of the program ``name``, or None if the host has none."""
    found = shutil.which(name, path=LOCALE["PATH"])
    return Path(found) if found else None


def offline_command() -> list[str]:
    """Return the unshare(1) call for a network namespace. Whoever is not root needs a user namespace around it."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-current-user"]
    return ["unshare", *user, "--net", "--"]


def namespace_denied(said: str) -> str:
    """Return the note on a namespace that cannot be had, if that is what standard error says; empty if it is not."""
    last = said.strip().rpartition("\n")[2]
    return f"helpers run without a network namespace of their own: {last}" if last.startswith("unshare:") else ""


def run(command: Sequence[str], *, timeout: float, limits: Limits | None = None, offline: bool = False) -> Completed:
    """Run ``command`` to its end, without standard input, and return what it said. Any exit status is returned.

    ``timeout`` is in seconds. With ``limits`` it ends, like a Service, with the thread that called; and with them and
    ``offline`` it is in a network namespace of its own, where the host allows one: ``note`` says if it does not. Raises
    EngineError if the program is missing or does not finish in time.
    """
    need(command[0])
    if limits is None:
        return _run(command, timeout)
    if not offline:
        return _run(command, timeout, [*limits.command(), *MORTAL])
    need("unshare")
    done = _run(command, timeout, [*limits.command(), *offline_command(), *MORTAL])
    note = namespace_denied(done.stderr) if done.status else ""
    return replace(_run(command, timeout, [*limits.command(), *MORTAL]), note=note) if note else done


def _run(command: Sequence[str], timeout: float, before: Sequence[str] = ()) -> Completed:
    try:
        done = subprocess.run(
            [*before, *command],
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


def run_bounded(
    command: Sequence[str],
    *,
    timeout: float,
    limit: int,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> Completed:
    """Run ``command`` as ``run`` does, with at most ``limit`` bytes of standard output, and 64 KiB of errors kept.

    ``stdin`` is its standard input; ``environment`` is added to the usual one. A program that is missing ends with
    status 127, as in a shell. What it started is ended with it when it exceeds the time or the limit: EngineError is
    raised then.
    """
    name = find_program(command[0])
    if name is None:
        return Completed(NOT_FOUND, "", f"{command[0]}: not found")
    deadline = time.monotonic() + timeout
    output, errors = bytearray(), bytearray()
    with (
        _given(stdin) as given,
        subprocess.Popen(
            [str(name), *command[1:]],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**LOCALE, **(environment or {})},
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


@contextmanager
def _given(stdin: bytes) -> Iterator[int]:
    """Yield a descriptor to read ``stdin`` from: of a file in memory, so that nobody has to write while others read."""
    if not stdin:
        yield subprocess.DEVNULL
        return
    descriptor = os.memfd_create("stdin", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(stdin)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def need(program: str) -> None:
    """Raise EngineError, with what to do, if the host does not have ``program``."""
    if find_program(program) is None:
        raise EngineError(f"{program} is not installed", f"install the package that provides {program}")
