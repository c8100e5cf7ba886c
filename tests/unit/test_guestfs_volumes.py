"""What libguestfs was seen to say of a disk, and what is made of it."""

from typing import Any

import pytest

from diskimage_validator.engines import guestfs_volumes
from diskimage_validator.engines.guestfs_volumes import list_volumes
from diskimage_validator.errors import TargetError

TYPES = {
    "/dev/sda1": "vfat",
    "/dev/sda2": "swap",
    "/dev/sda3": "btrfs",
    "btrfsvol:/dev/sdb3/@": "btrfs",
    "btrfsvol:/dev/sdb3/@/home": "btrfs",
}
"""Of an appliance that found its own disk first: the subvolumes have the appliance's name of the disk, not ours."""


class Appliance:
    """A handle with a btrfs whose default subvolume is a snapshot."""

    def list_partitions(self) -> list[str]:
        return ["/dev/sda1", "/dev/sda2", "/dev/sda3"]

    def blkid(self, device: str) -> dict[str, str]:
        return {"PART_ENTRY_UUID": f"part-{device[-1]}", "PART_ENTRY_NAME": "EFI\\x20System"}

    def vfs_label(self, device: str) -> str:
        return {"/dev/sda1": "ESP", "/dev/sda3": "system"}[device]

    def vfs_uuid(self, device: str) -> str:
        return {"/dev/sda1": "1616-47EE", "/dev/sda3": "b7-b7"}[device]

    def btrfs_subvolume_get_default(self, device: str) -> int:
        return {"/dev/sda3": 258}[device]

    def btrfs_subvolume_list(self, device: str) -> list[dict[str, Any]]:
        names = {256: "@", 257: "@/home", 258: "@/.snapshots/1/snapshot"}
        return [{"btrfssubvolume_id": number, "btrfssubvolume_path": path} for number, path in names.items()]


def test_volumes_have_our_names_of_devices() -> None:
    esp, root, at, home = list_volumes(Appliance(), TYPES)
    assert (esp.mountable, esp.partition_label, esp.partition_uuid) == ("/dev/sda1", "EFI System", "part-1")
    assert (root.mountable, root.subvolume, root.number, root.is_default) == (
        "/dev/sda3",
        "@/.snapshots/1/snapshot",
        258,
        True,
    )
    assert (at.mountable, at.number, at.is_default, at.label) == ("btrfsvol:/dev/sda3/@", 256, False, "system")
    assert (home.mountable, home.subvolume, home.device) == ("btrfsvol:/dev/sda3/@/home", "@/home", "/dev/sda3")


def test_their_number_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guestfs_volumes, "MAX_VOLUMES", 4)
    with pytest.raises(TargetError, match="more than the 4 that are read"):
        list_volumes(Appliance(), TYPES)
