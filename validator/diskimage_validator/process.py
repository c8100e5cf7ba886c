"""The one door for subprocesses: arguments as a list, always a time limit, never a shell.

Programs that parse hostile input run under prlimit(1), so that a crafted image cannot take the host's memory or CPU.
"""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diskimage_validator.errors import EngineError

LOCALE = {"LC_ALL": "C.UTF-8", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


@dataclass(frozen=True)
class Limits:
    """Limits for one process: address space in bytes, CPU time in seconds (setrlimit(2))."""

    address_space: int = 1 << 30
    cpu_seconds: int = 30

    def command(self) -> list[str]:
        """Return the prlimit(1) call that goes in front of a command."""
        return ["prlimit", f"--as={self.address_space}", f"--cpu={self.cpu_seconds}", "--core=0", "--"]


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

    ``timeout`` is in seconds. Raises EngineError if the program is missing or does not finish in time.
    """
    if find_program(command[0]) is None:
        raise EngineError(f"{command[0]} is not installed", f"install the package that provides {command[0]}")
    full = [*(limits.command() if limits else []), *command]
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
