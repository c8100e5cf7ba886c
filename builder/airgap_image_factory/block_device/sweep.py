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
    what it could, if a loop device is still attached.
    """
    swept = []
    for loop in attached_loops(path):
        mounted = mount_points(loop.device)
        unmount(loop.device)
        mapped = partitions(loop.device)
        unmap_partitions(loop.device)
        try:
            exec_sudo(["losetup", "--detach", loop.device])
        except BlockDeviceSetupException as error:
            logger.warning("%s", error)
        swept.append(Swept(loop, tuple(mapped), tuple(mounted)))
    if left := attached_loops(path):
        names = ", ".join(f"{loop.device} ({loop.backing_file})" for loop in left)
        raise BlockDeviceSetupException(f"still in use, so not detached: {names}; see `lsof +f -- DEVICE`")
    return swept


def unmount(device: str) -> None:
    """Unmount the loop ``device`` and its partitions, with everything that is mounted below them.

    Raises BlockDeviceSetupException if even a lazy unmount fails.
    """
    for mount_point in reversed(mount_points(device)):
        if mount_point not in mount_points(device):  # gone with one that was mounted below it
            continue
        chrooted = [pid for pid, links in processes.users(Path(mount_point)).items() if "root" in links]
        processes.end(chrooted)
        try:
            exec_sudo(["umount", "--recursive", mount_point])
        except BlockDeviceSetupException as error:
            logger.warning("%s", error)
            exec_sudo(["umount", "--recursive", "--lazy", mount_point])
