"""Which processes keep a build busy, how they are ended, and how our own keep out of each other's way."""

import fcntl
import logging
import os
import re
import time
from pathlib import Path

from diskimage_builder.block_device.exception import BlockDeviceSetupException
from diskimage_builder.block_device.utils import exec_sudo

logger = logging.getLogger(__name__)

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""

# A shell expands the pattern, so DIB's log shows one short line instead of every process of the host.
_FIND_LINKS = r"find /proc/[0-9]*/root /proc/[0-9]*/cwd /proc/[0-9]*/fd -maxdepth 1 -type l -printf '%p\t%l\n'"
_LINK = re.compile(r"/proc/(\d+)/(root|cwd|fd/\d+)\t(.+)")


def open_lock(build_dir: Path) -> int:
    """Return a file descriptor for ``take_lock``. It stays good when DIB removes the folder."""
    return os.open(build_dir, os.O_RDONLY | os.O_DIRECTORY)


def take_lock(lock: int) -> None:
    """Wait until no other process changes this build's devices. The lock lasts until this process ends.

    When bash is told to stop, its EXIT trap does not wait for the command it runs: create, umount, the umount of the
    trap and the guardian may all be there at once.
    """
    fcntl.flock(lock, fcntl.LOCK_EX)


def users(folder: Path) -> dict[int, set[str]]:
    """Return the processes that use ``folder`` or what is below it: pid to a set of ``root``, ``cwd`` and ``fd/N``."""
    folder = folder.resolve()
    try:
        output = exec_sudo(["sh", "-c", _FIND_LINKS])
    except BlockDeviceSetupException as error:
        # find ends with 1 when a process ends while it looks; what it printed is good.
        output = getattr(error, "output", "")
    found: dict[int, set[str]] = {}
    for line in output.splitlines():
        match = _LINK.fullmatch(line)
        if match and Path(match[3]).is_relative_to(folder):
            found.setdefault(int(match[1]), set()).add(match[2])
    return found


def descendants(pid: int) -> list[int]:
    """Return the children of ``pid``, their children and so on."""
    parents = {int(entry.name): _stat(int(entry.name))[1] for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    found: list[int] = []
    pending = [pid]
    while pending:
        parent = pending.pop()
        children = [child for child, parent_of_child in parents.items() if parent_of_child == parent]
        found += children
        pending += children
    return found


def end(pids: list[int]) -> None:
    """End ``pids``: SIGTERM, then SIGKILL for those that are still there after ``GRACE`` seconds."""
    for signal_name in ("TERM", "KILL"):
        alive = [pid for pid in pids if _is_alive(pid)]
        if not alive:
            return
        logger.warning("Sending SIG%s to %s", signal_name, " ".join(f"{pid} ({_name(pid)})" for pid in alive))
        # The shell's own kill: a container may have no /bin/kill. A process may end before it is signalled.
        exec_sudo(["sh", "-c", f"kill -{signal_name} {' '.join(map(str, alive))} || true"])
        deadline = time.monotonic() + GRACE
        while any(map(_is_alive, alive)) and time.monotonic() < deadline:
            time.sleep(0.05)


def _is_alive(pid: int) -> bool:
    """Whether ``pid`` still runs; a zombie holds nothing any more."""
    return _stat(pid)[0] not in ("", "Z", "X")


def _stat(pid: int) -> tuple[str, int]:
    """Return the state letter and the parent of ``pid``, proc(5); ``("", 0)`` if there is no such process."""
    try:
        # The name, in parentheses, may hold spaces and parentheses itself.
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return "", 0
    return state, int(parent)


def _name(pid: int) -> str:
    """Return the command name of ``pid``, for the log."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return "gone"
