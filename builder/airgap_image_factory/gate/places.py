"""Where a build works: diskimage-builder's temporary folder, what may be mounted there, and how all of it goes away."""

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from diskimage_builder.block_device.exception import BlockDeviceSetupException
from diskimage_builder.block_device.utils import exec_sudo

from airgap_image_factory.block_device import processes
from airgap_image_factory.block_device.sweep import sweep, unmount_below
from airgap_image_factory.gate.front import Ledger, reap
from airgap_image_factory.gate.workspace import locked_folder, remove_stale

PREFIX: Final = "airgap-gate-"
TRIES: Final = 3
FAREWELL: Final = 0.5
"""Seconds that what is about to end anyhow, such as the filter of diskimage-builder's log, gets to do so."""

logger = logging.getLogger(__name__)


def temporary_folder(environment: Mapping[str, str]) -> Path:
    """Return where diskimage-builder works: ``TMPDIR`` comes first, because that is how mktemp(1) -t reads it."""
    return Path(environment.get("TMPDIR") or environment.get("TMP_DIR") or "/tmp")  # noqa: S108 - as diskimage-builder


@contextmanager
def scratch(parent: Path, ledger: Ledger) -> Iterator[Path]:
    """Give a folder in ``parent`` for diskimage-builder's work.

    Afterwards every process that this one has started, directly or not, has ended, and neither the folder nor a mount
    or a loop device of it is left. What a killed build has left there is removed first: whoever works in one of these
    folders holds a lock on it (flock(2)), which the kernel releases with the process.
    """
    remove_stale(parent, PREFIX, _remove_stale)
    folder, lock = locked_folder(parent, PREFIX)
    try:
        ledger.enter(folder)
        yield folder
    finally:
        end_processes()
        release(folder)
        os.close(lock)


def end_processes() -> None:
    """End all descendants of this process; those that left their parent are among them, if it is a subreaper."""
    deadline = time.monotonic() + FAREWELL
    while processes.descendants(os.getpid()) and time.monotonic() < deadline:
        reap()
        time.sleep(0.02)
    for _ in range(TRIES):
        reap()
        if not (left := processes.descendants(os.getpid())):
            return
        processes.end(left)


def release(folder: Path) -> None:
    """Detach, unmount and remove ``folder`` with all that is in it. What cannot be done is in the log, as a warning."""
    for step in (_end_users, sweep, unmount_below, _remove):
        try:
            step(folder)
        except (BlockDeviceSetupException, OSError) as error:
            logger.warning("cleaning up %s: %s", folder, error)


def _end_users(folder: Path) -> None:
    """End what runs in ``folder``: when all of a build but a hook was killed, nobody is that one's parent any more."""
    using = processes.users(folder)
    processes.end([pid for pid, links in using.items() if links & {"root", "cwd"} and pid != os.getpid()])


def _remove(folder: Path) -> None:
    if folder.exists():
        # A build of an account without root rights has files of root's in there. A mount that is left is not entered.
        exec_sudo(["rm", "-rf", "--one-file-system", str(folder)])


def _remove_stale(folder: Path) -> None:
    logger.warning("removing what a killed build left: %s", folder)
    release(folder)
