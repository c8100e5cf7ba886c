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
SUBVOLUME: Final = "btrfsvol:"
"""What libguestfs' name of a subvolume begins with."""
_HEX: Final = re.compile(r"\\x([0-9a-fA-F]{2})")


def list_volumes(handle: Any, types: dict[str, str]) -> tuple[Volume, ...]:
    """Return everything that may be mounted. ``types`` is what ``list_filesystems`` of libguestfs said.

    Raises TargetError if it is too much, and RuntimeError, as libguestfs does, for a file system that is damaged.
    """
    _check_number(len(types))
    partitions = frozenset(handle.list_partitions())
    found: list[Volume] = []
    for device, kind in sorted(types.items()):
        if kind in UNMOUNTABLE or device.startswith(SUBVOLUME):
            continue
        partition = handle.blkid(device) if device in partitions else {}
        found.append(
            Volume(
                mountable=device,
                device=device,
                type=kind,
                label=str(handle.vfs_label(device)),
                uuid=str(handle.vfs_uuid(device)),
                partition_label=_HEX.sub(lambda match: chr(int(match[1], 16)), partition.get("PART_ENTRY_NAME", "")),
                partition_uuid=partition.get("PART_ENTRY_UUID", ""),
            )
        )
    return with_subvolumes(handle, found)


def with_subvolumes(handle: Any, volumes: Iterable[Volume]) -> tuple[Volume, ...]:
    """Return ``volumes``, those with btrfs replaced by their subvolumes. Raises what ``list_volumes`` raises."""
    found: list[Volume] = []
    for whole in volumes:
        found += _subvolumes(handle, whole) if whole.type == "btrfs" else [whole]
    _check_number(len(found))
    return tuple(found)


def _check_number(number: int) -> None:
    if number > MAX_VOLUMES:
        raise TargetError(f"{number} file systems and subvolumes, more than the {MAX_VOLUMES} that are read")


def _subvolumes(handle: Any, whole: Volume) -> Iterator[Volume]:
    """Yield the subvolumes of a btrfs. libguestfs calls the default one by the name of the device.

    Neither its ``mountable_device`` nor its list of subvolumes as file systems is of use here: where the appliance met
    its disks in another order, they give the appliance's name of the device and not ours.
    """
    default = int(handle.btrfs_subvolume_get_default(whole.device))
    paths = {
        int(one["btrfssubvolume_id"]): str(one["btrfssubvolume_path"])
        for one in handle.btrfs_subvolume_list(whole.device)
    }
    yield replace(whole, subvolume=paths.pop(default, ""), number=default)
    for number, path in sorted(paths.items()):
        mountable = f"{SUBVOLUME}{whole.device}/{path}"
        yield replace(whole, mountable=mountable, subvolume=path, number=number, is_default=False)
