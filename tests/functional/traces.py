"""What a build may leave on its host: mounts, loop devices, processes."""

import subprocess
import time
from pathlib import Path
from typing import Final


def traces(folder: Path) -> list[str]:
    """Return mounts, loop devices and processes of a build whose temporary files are in ``folder``."""
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line]
    losetup = ["losetup", "--noheadings", "--output", "NAME,BACK-FILE"]
    loops = subprocess.run(losetup, check=True, capture_output=True, text=True).stdout.splitlines()
    ps = subprocess.run(["ps", "-eo", "pid,args"], check=True, capture_output=True, text=True).stdout.splitlines()
    return [line for line in [*mounts, *loops, *ps] if str(folder) in line]


def wait_until_empty(folder: Path, *, timeout: float) -> None:
    """Wait until nothing is in ``folder`` and nothing is mounted from it, attached to it or runs there.

    Fails with what is still there after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while left := [*traces(folder), *map(str, folder.iterdir())]:
        assert time.monotonic() < deadline, "\n".join(left)
        time.sleep(0.5)


FORGET_LOOPS: Final = """\
for place in $(awk '$1 ~ "^/dev/loop" { print $2 }' /proc/self/mounts); do umount --lazy "$place" || :; done
"""
"""Shell, for the beginning of a mount namespace that lives on: it has a copy of what builds have mounted right now, and
would keep their loop devices from being detached. /proc/self/mounts is in proc(5)."""
