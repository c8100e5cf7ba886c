"""Detach what a build that did not end properly left behind."""

import logging
from dataclasses import dataclass
from pathlib import Path

from diskimage_builder.block_device.exception import BlockDeviceSetupException
from diskimage_builder.block_device.utils import exec_sudo

from airgap_image_factory.block_device import processes
from airgap_image_factory.block_device.devices import Loop, attached_loops, mount_points, partitions, unmap_partitions

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Swept:
    """What was taken off one loop device: its partitions (``loop0p1``) and the mount points it was mounted at."""

    loop: Loop
    partitions: tuple[str, ...]
    mount_points: tuple[str, ...]


def sweep(path: Path) -> list[Swept]:
    """Unmount, unmap and detach every loop device whose backing file is ``path`` or lies below it.

    The images are taken to be waste: processes that run chrooted in one are ended, what stays busy is unmounted lazily.
    Returns what was detached; nothing there to detach is an empty list. Raises BlockDeviceSetupException, after it did
    what it could, if a loop device is still attached. Several may sweep at a time: a build's guardian and a wrapper.
    """
    swept = []
    for loop in attached_loops(path):
        mounted = mount_points(loop.device)
        unmount(loop.device)
        mapped = partitions(loop.device)
        unmap_partitions(loop.device)
        if loop in attached_loops(path):  # else it may be another's by now
            _try("losetup", "--detach", loop.device)
        swept.append(Swept(loop, tuple(mapped), tuple(mounted)))
    if left := attached_loops(path):
        names = ", ".join(f"{loop.device} ({loop.backing_file})" for loop in left)
        raise BlockDeviceSetupException(f"still in use, so not detached: {names}; see `lsof +f -- DEVICE`")
    return swept


def unmount_below(folder: Path) -> None:
    """Unmount what is mounted at ``folder`` or below it, lazily if need be, e.g. the tmpfs that DIB builds in."""
    folder = folder.resolve()
    for mount_point in reversed(mount_points()):
        if Path(mount_point).is_relative_to(folder):
            _unmount(mount_point)


def unmount(device: str) -> None:
    """Unmount the loop ``device`` and its partitions, with everything that is mounted below them; lazily if need be."""
    for mount_point in reversed(mount_points(device)):
        processes.end([pid for pid, links in processes.users(Path(mount_point)).items() if "root" in links])
        _unmount(mount_point)


def _unmount(mount_point: str) -> None:
    for options in (["--recursive"], ["--recursive", "--lazy"]):
        if mount_point in mount_points():
            _try("umount", *options, mount_point)


def _try(*command: str) -> None:
    """Run ``command`` with sudo; a failure is only logged: the next step or the last look tells what is left."""
    try:
        exec_sudo(list(command))
    except BlockDeviceSetupException as error:
        logger.warning("%s", str(error).strip())
