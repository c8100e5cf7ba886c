"""What a simple disk is made of, from one call of lsblk(8) in the appliance.

libguestfs' own calls start a dozen programs for the same answer, four to five seconds without KVM. Simple is a disk
with an MBR or a GPT, or none, and known file systems on its partitions: no LVM, RAID, extended partition or encryption,
and no label that would have to be quoted. For everything else there is no Layout, and libguestfs is asked.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from diskimage_validator.engines import appliance_shell
from diskimage_validator.engines.base import Partition
from diskimage_validator.engines.volumes import Volume
from diskimage_validator.frozen import dataclass

COLUMNS: Final = "KNAME,TYPE,SIZE,PTTYPE,PARTTYPE,PARTLABEL,PARTUUID,FSTYPE,LABEL,UUID"
COMMAND: Final = f"lsblk --json --bytes --output {COLUMNS} /dev/disk/guestfs/%s && cd /sys/class/block && "
STARTS: Final = "{ grep -Hs . */start; true; }"
SECTOR: Final = 512
"""Bytes in which the kernel counts, whatever the disk's own sectors are: ABI/stable/sysfs-block."""
TABLES: Final = {None: "none", "dos": "mbr", "gpt": "gpt"}
FILE_SYSTEMS: Final = ("ext2", "ext3", "ext4", "xfs", "btrfs", "vfat")
SWAP: Final = "swap"
UNKNOWN: Final = "unknown"
UNUSUAL: Final = frozenset(
    {
        *("0x5", "0xf", "0x85", "0x42"),
        *("5808c8aa-7e8f-42e0-85d2-e1e90434cfb3", "af9b60a0-1431-4f62-bc68-3311714a69ad"),
    }
)
"""Types of partitions without a file system of their own: extended ones, and those of Windows' logical disks."""


@dataclass(frozen=True)
class Layout:
    """``table`` and ``size`` as in Disk; ``types`` is what libguestfs' ``list_filesystems`` returns.

    ``volumes`` are file systems, not yet the subvolumes on them.
    """

    table: str
    size: int
    partitions: tuple[Partition, ...]
    types: Mapping[str, str]
    volumes: tuple[Volume, ...]


def read_layout(handle: Any, device: str, label: str) -> Layout | None:
    """Return the layout of the disk that libguestfs was given with ``label``, a word; facts call it ``device``."""
    text = appliance_shell.run(handle, COMMAND % label + STARTS)
    return None if text is None else parse_layout(text, device)


def parse_layout(text: str, device: str) -> Layout | None:
    """Return what COMMAND wrote, None if the disk is not simple."""
    try:
        text = text.strip()
        blocks, end = json.JSONDecoder().raw_decode(text)
        starts = dict(line.split("/start:", 1) for line in text[end:].split())
        (disk,) = (block for block in blocks["blockdevices"] if block["type"] == "disk")
        parts = [block for block in blocks["blockdevices"] if block is not disk]
        if disk["pttype"] is None:
            return None if parts else _whole(disk, device)
        if disk["fstype"] or not parts or any(part["type"] != "part" for part in parts):
            return None
        return _partitioned(disk, parts, starts, device)
    except (ValueError, KeyError, TypeError):
        return None


def _whole(disk: Mapping[str, Any], device: str) -> Layout | None:
    if disk["fstype"] not in FILE_SYSTEMS or not _is_plain(disk):
        return None
    return Layout("none", int(disk["size"]), (), {device: disk["fstype"]}, (_volume(disk, device),))


def _partitioned(
    disk: Mapping[str, Any], parts: list[dict[str, Any]], starts: Mapping[str, str], device: str
) -> Layout | None:
    table = TABLES[disk["pttype"]]
    kinds = [part["fstype"] for part in parts]
    if not all(kind in (None, SWAP, *FILE_SYSTEMS) for kind in kinds) or kinds.count("btrfs") > 1:
        return None
    if any(str(part["parttype"]).lower() in UNUSUAL or not _is_plain(part) for part in parts):
        return None
    partitions, types, volumes = [], {}, []
    for part in parts:
        number = int(part["kname"].removeprefix(disk["kname"]))
        name, start, size = f"{device}{number}", int(starts[part["kname"]]) * SECTOR, int(part["size"])
        kind = part["parttype"].upper() if table == "gpt" else f"{int(part['parttype'], 16):02x}"
        partitions.append(Partition(name, number, start, size, kind))
        types[name] = part["fstype"] or UNKNOWN
        if part["fstype"] in FILE_SYSTEMS:
            volumes.append(_volume(part, name))
    ordered = tuple(sorted(partitions, key=lambda partition: partition.start))
    return Layout(table, int(disk["size"]), ordered, types, tuple(sorted(volumes, key=lambda volume: volume.device)))


def _volume(block: Mapping[str, Any], device: str) -> Volume:
    return Volume(
        mountable=device,
        device=device,
        type=block["fstype"],
        label=block["label"] or "",
        uuid=block["uuid"] or "",
        partition_label=block["partlabel"] or "",
        partition_uuid=block["partuuid"] or "",
    )


def _is_plain(block: Mapping[str, Any]) -> bool:
    """Whether the names are what every tool shows alike: printable ASCII without a backslash."""
    names = [block[key] or "" for key in ("label", "uuid", "partlabel", "partuuid")]
    return all(name.isascii() and name.isprintable() and "\\" not in name and name == name.strip() for name in names)
