"""What can be mounted on a disk, which of it an fstab means, and which of several roots is the real one.

A volume is a file system or, on btrfs, one of its subvolumes. Snapshots of a root hold an operating system too; but the
kernel mounts one root only: the subvolume that the root's own fstab names, or else the default subvolume
(``btrfs-subvolume(8)``). Where that does not settle it, nothing here guesses.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from diskimage_validator.frozen import dataclass
from diskimage_validator.fstab import Line

_FIRST_DISK: Final = re.compile(r"/dev/(?:(?:[shv]d|xvd)a|(?:nvme0n1|mmcblk0)p)([0-9]+)")
_BY: Final = re.compile(r"/dev/disk/by-(?P<kind>label|uuid|partlabel|partuuid)/(?P<value>.+)")
_HEX: Final = re.compile(r"\\x([0-9a-fA-F]{2})")


@dataclass(frozen=True)
class Volume:
    """Something that can be mounted.

    ``mountable`` is libguestfs' name of it; ``device``: the block device, ``/dev/sdaN`` or ``/dev/VG/LV``. On btrfs
    ``subvolume`` is the path of the subvolume from the top, ``number`` its id, and ``is_default`` whether it is what a
    mount without options gives. Anything else is its own default.
    """

    mountable: str
    device: str
    type: str
    label: str = ""
    uuid: str = ""
    partition_label: str = ""
    partition_uuid: str = ""
    subvolume: str | None = None
    number: int | None = None
    is_default: bool = True


def find_volume(line: Line, volumes: Iterable[Volume]) -> Volume | None:
    """Return what ``line`` mounts; None if it is not on this disk."""
    candidates = [volume for volume in volumes if _is_source(line.source, volume)]
    return next((volume for volume in candidates if _is_meant(line, volume)), None)


def choose_root(roots: Mapping[Volume, Iterable[Line]]) -> Volume | None:
    """Return the one of ``roots``, each with its own fstab, that is mounted at boot; None if that cannot be told."""
    if len(roots) > 1 and (len({root.device for root in roots}) > 1 or any(root.number is None for root in roots)):
        return None
    real = [root for root, fstab in roots.items() if len(roots) == 1 or _is_own_root(root, fstab)]
    return real[0] if len(real) == 1 else None


def _is_own_root(root: Volume, fstab: Iterable[Line]) -> bool:
    line = next((line for line in fstab if line.mountpoint == "/"), None)
    return root.is_default if line is None else _is_meant(line, root)


def _is_meant(line: Line, volume: Volume) -> bool:
    """Whether the options choose ``volume``, one of those that the source offers."""
    if volume.number is None:
        return True
    if "subvol" in line.options:
        return line.options["subvol"].strip("/") == volume.subvolume
    if "subvolid" in line.options:
        return line.options["subvolid"] == str(volume.number)
    return volume.is_default


def _is_source(source: str, volume: Volume) -> bool:
    kind, separator, value = source.partition("=")
    if by := _BY.fullmatch(source):
        kind, separator, value = by["kind"], "=", _HEX.sub(lambda match: chr(int(match[1], 16)), by["value"])
    value = value.strip('"')
    if separator and value:
        if kind.upper() in ("UUID", "PARTUUID"):
            return value.lower() == (volume.uuid if kind.upper() == "UUID" else volume.partition_uuid).lower()
        if kind.upper() in ("LABEL", "PARTLABEL"):
            return value == (volume.label if kind.upper() == "LABEL" else volume.partition_label)
    return (
        source in (volume.device, _mapper(volume.device)) or _FIRST_DISK.sub(r"/dev/sda\g<1>", source) == volume.device
    )


def _mapper(device: str) -> str:
    """Return the device mapper's name of ``/dev/VG/LV``: hyphens of the names are doubled, one joins them."""
    _, _, *names = device.split("/")
    return "/dev/mapper/" + "-".join(name.replace("-", "--") for name in names) if len(names) == 2 else device
