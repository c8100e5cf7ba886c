"""The volumes of a disk, as libguestfs knows them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from diskimage_validator.engines.volumes import Volume
from diskimage_validator.errors import TargetError

UNMOUNTABLE: Final = frozenset({"swap", "unknown", "crypto_LUKS", "LVM2_member", "linux_raid_member"})
MAX_VOLUMES: Final = 1000
"""Each is mounted once, to see whether it is the root, in 20 ms and more. A root with all its snapshots has 100."""
TOP_LEVEL: Final = 5
"""Id of what contains all subvolumes of a btrfs."""
_HEX: Final = re.compile(r"\\x([0-9a-fA-F]{2})")


def list_volumes(handle: Any, types: dict[str, str]) -> tuple[Volume, ...]:
    """Return everything that may be mounted. ``types`` is what ``list_filesystems`` of libguestfs said.

    Raises TargetError if it is too much, and RuntimeError, as libguestfs does, for a file system that is damaged.
    """
    mountables = sorted(name for name, kind in types.items() if kind not in UNMOUNTABLE)
    if len(mountables) > MAX_VOLUMES:
        raise TargetError(f"{len(mountables)} file systems and subvolumes, more than the {MAX_VOLUMES} that are read")
    by_device: dict[str, list[str]] = {}
    for mountable in mountables:
        by_device.setdefault(_device(mountable, types), []).append(mountable)
    partitions = frozenset(handle.list_partitions())
    found: list[Volume] = []
    for device, names in by_device.items():
        partition = handle.blkid(device) if device in partitions else {}
        whole = Volume(
            mountable=device,
            device=device,
            type=types[names[0]],
            label=str(handle.vfs_label(names[0])),
            uuid=str(handle.vfs_uuid(names[0])),
            partition_label=_HEX.sub(lambda match: chr(int(match[1], 16)), partition.get("PART_ENTRY_NAME", "")),
            partition_uuid=partition.get("PART_ENTRY_UUID", ""),
        )
        found += _subvolumes(handle, whole, names) if whole.type == "btrfs" else [whole]
    return tuple(found)


def _device(mountable: str, types: Iterable[str]) -> str:
    """Return the block device of ``mountable`` by the name that ``types`` has for it.

    libguestfs' own ``mountable_device`` gives the appliance's name, which is another one where the kernel of the
    appliance found its disks in another order.
    """
    owners = (device for device in types if mountable.startswith(f"btrfsvol:{device}/"))
    return max(owners, key=len, default=mountable)


def _subvolumes(handle: Any, whole: Volume, mountables: list[str]) -> Iterator[Volume]:
    """Yield the subvolumes of a btrfs. libguestfs calls the default one by the name of the device."""
    default = int(handle.btrfs_subvolume_get_default(whole.device))
    paths = {
        int(one["btrfssubvolume_id"]): str(one["btrfssubvolume_path"])
        for one in handle.btrfs_subvolume_list(whole.device)
    }
    numbers = {path: number for number, path in paths.items()}
    for mountable in mountables:
        is_default = mountable == whole.device
        path = paths.get(default, "") if is_default else str(handle.mountable_subvolume(mountable)).strip("/")
        number = default if is_default else numbers.get(path, TOP_LEVEL)
        yield replace(whole, mountable=mountable, subvolume=path, number=number, is_default=is_default)
