"""Loop devices, their partitions and what is mounted from them, through util-linux alone.

Questions are asked unprivileged (``losetup --json``, ``findmnt --json``, sysfs). Changes go through ``exec_sudo``, so
that all of this works for root and for a user with sudo, and every command is in the log of the build.
"""

import json
import logging
import os
import stat
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diskimage_builder.block_device.exception import BlockDeviceSetupException
from diskimage_builder.block_device.utils import exec_sudo

logger = logging.getLogger(__name__)

DELETED = " (deleted)"
"""What the kernel appends to the backing file's name once that file was removed."""

BUSY_TRIES = 20
BUSY_PAUSE = 0.25
"""Seconds between tries: udev opens a partition for a moment after whoever wrote to it has closed it."""


@dataclass(frozen=True)
class Loop:
    """An attached loop device: ``device`` (``/dev/loop0``) and the file behind it, which may be deleted already."""

    device: str
    backing_file: Path


def attached_loops(path: Path) -> list[Loop]:
    """Return the loop devices whose backing file is ``path`` or lies below it."""
    path = path.resolve()
    rows = _json("losetup", "--json", "--list", "--output", "NAME,BACK-FILE").get("loopdevices", [])
    loops = [Loop(row["name"], Path(row["back-file"].removesuffix(DELETED))) for row in rows if row["back-file"]]
    return [loop for loop in loops if loop.backing_file.is_relative_to(path)]


def partitions(device: str) -> list[str]:
    """Return the names of the partitions that the kernel knows of the loop ``device``: ``loop0p1``, ``loop0p5``."""
    name = Path(device).name
    found = [entry.name for entry in Path("/sys/block", name).glob(f"{name}p*")]
    return sorted(found, key=lambda partition: int(partition.rpartition("p")[2]))


def mount_points(device: str | None = None) -> list[str]:
    """Return where the loop ``device`` and its partitions are mounted (None: all mount points), in mount order."""
    rows = _json("findmnt", "--json", "--list", "--output", "TARGET,MAJ:MIN").get("filesystems", [])
    if device is None:
        return [row["target"] for row in rows]
    numbers = {_number(name) for name in (Path(device).name, *partitions(device))}
    return [row["target"] for row in rows if row["maj:min"] in numbers]


def map_partitions(device: str) -> None:
    """Make the kernel map the partitions that the table on the loop ``device`` names; doing it again is harmless.

    Makes their device nodes where the kernel does not: in a container ``/dev`` is often a tmpfs. Raises
    BlockDeviceSetupException if ``partx`` fails.
    """
    # Not `partx --update`: up to util-linux 2.38 at least, it stops at the gap before the first logical partition (5).
    # But --add fails on what an earlier user of this loop device left mapped.
    unmap_partitions(device)
    exec_sudo(["partx", "--add", device])
    for name in partitions(device):
        number = _number(name)
        node = Path("/dev", name)
        if not _is_node(node, number):
            logger.info("No device node %s (%s): making it", node, number)
            major, _, minor = number.partition(":")
            # A left-over node with another number would send our mkfs to somebody else's disk.
            exec_sudo(["rm", "-f", str(node)])
            exec_sudo(["mknod", "-m", "0660", str(node), "b", major, minor])


def unmap_partitions(device: str) -> None:
    """Take back ``map_partitions``. Nothing mapped is not an error.

    A partition that stays in use for seconds is logged, not raised: DIB still has to detach the loop device.
    """
    mapped = partitions(device)
    for _ in range(BUSY_TRIES):
        if not partitions(device):
            break
        try:
            exec_sudo(["partx", "--delete", device])
        except BlockDeviceSetupException:
            time.sleep(BUSY_PAUSE)
    left = partitions(device)
    if left:
        logger.error("Partitions still in use: %s", " ".join(left))
    # The kernel removes its own nodes at once, so what is still there was made by map_partitions.
    nodes = [f"/dev/{name}" for name in mapped if name not in left and Path("/dev", name).exists()]
    if nodes:
        exec_sudo(["rm", "-f", *nodes])


def _number(name: str) -> str:
    """Return the number of the block device ``name``, ``259:1``; an empty string if there is none (any more)."""
    try:
        return Path("/sys/class/block", name, "dev").read_text().strip()
    except FileNotFoundError:
        return ""


def _is_node(path: Path, number: str) -> bool:
    """Whether ``path`` is the block device node with ``number`` (``259:1``)."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    return stat.S_ISBLK(status.st_mode) and f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}" == number


def _json(*command: str) -> dict[str, Any]:
    """Return the JSON that ``command`` prints; no output (no loop device at all) is an empty object."""
    try:
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise BlockDeviceSetupException(f"{command[0]} not found: install the package util-linux") from None
    except subprocess.CalledProcessError as error:
        raise BlockDeviceSetupException(f"{' '.join(command)} failed: {error.stderr.strip()}") from None
    result: dict[str, Any] = json.loads(output or "{}")
    return result
