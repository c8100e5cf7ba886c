"""Whether a file system was left in order, and what an ext file system is made of.

What ext2/3/4 say is read before anything is mounted: even a read-only mount replays the journal (into the overlay), and
afterwards nobody can tell. xfs and btrfs say at mount, in the kernel's log, whether they had to do that.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from diskimage_validator.frozen import dataclass

EXT: Final = ("ext2", "ext3", "ext4")
MESSAGES: Final = {
    "xfs": (r"XFS \({device}\): Ending clean mount", r"XFS \({device}\): Starting recovery"),
    "btrfs": (r"BTRFS[^\n]*\(device {device}\)", r"BTRFS[^\n]*\(device {device}\): start tree-log replay"),
}
"""Type to what the kernel logs for a mount in order, and for one that had to recover: fs/xfs/xfs_log.c, fs/btrfs."""


@dataclass(frozen=True)
class Superblock:
    """What tune2fs(8) tells: nothing but None for other file systems. ``block_size`` is in bytes."""

    clean: bool | None = None
    block_size: int | None = None
    features: tuple[str, ...] = ()


def read_superblocks(handle: Any, types: Mapping[str, str]) -> dict[str, Superblock]:
    """Return device to Superblock for all ext file systems. To be called before the first mount."""
    return {device: parse_tune2fs(dict(handle.tune2fs_l(device))) for device, kind in types.items() if kind in EXT}


def parse_tune2fs(fields: Mapping[str, str]) -> Superblock:
    """Return what the fields of ``tune2fs -l`` say; a journal that has to be replayed is not clean either."""
    features = tuple(fields.get("Filesystem features", "").split())
    size = fields.get("Block size", "")
    return Superblock(
        clean=fields.get("Filesystem state") == "clean" and "needs_recovery" not in features,
        block_size=int(size) if size.isascii() and size.isdigit() else None,
        features=features,
    )


def is_clean(handle: Any, device: str, kind: str) -> bool | None:
    """Return what the appliance's kernel logged when it mounted ``device``, None if it says nothing about it."""
    if kind not in MESSAGES:
        return None
    name = re.escape(_kernel_name(handle, device))
    clean, recovery = (re.compile(pattern.format(device=name)) for pattern in MESSAGES[kind])
    log = str(handle.dmesg())
    if recovery.search(log):
        return False
    return True if clean.search(log) else None


def _kernel_name(handle: Any, device: str) -> str:
    """Return what the appliance's kernel calls a device or the device of a subvolume.

    A logical volume is ``dm-N``. And in about one of ten starts the appliance finds its own disk first: our sda is its
    sdb then, for the kernel as for ``mountable_device``.
    """
    name = str(handle.mountable_device(device))
    if name.count("/") > 2 and handle.is_lv(name):  # /dev/VG/LV; a name of the appliance's is nothing to ask it with
        uuid = handle.lvuuid(name).replace("-", "")
        minors = (one["lv_kernel_minor"] for one in handle.lvs_full() if one["lv_uuid"].replace("-", "") == uuid)
        name = f"dm-{next(minors, '')}"
    return name.removeprefix("/dev/")
