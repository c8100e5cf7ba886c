"""What lsblk was seen to say of a disk in the appliance, and what is made of it."""

import json
from typing import Any

import pytest

from diskimage_validator.engines.base import Partition
from diskimage_validator.engines.guestfs_layout import parse_layout
from diskimage_validator.engines.sharing import is_unmistakable
from diskimage_validator.engines.volumes import Volume

KEYS = ("kname", "type", "size", "pttype", "parttype", "partlabel", "partuuid", "fstype", "label", "uuid")
ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4"
GPT = ("sdb", "disk", 2209939456, "gpt", None, None, None, None, None, None)
FIRST = ("sdb1", "part", 1048576, "gpt", "21686148-6449-6e6f-744e-656564454649", "BSP", "p1", None, None, None)
SECOND = ("sdb15", "part", 130023424, "gpt", ESP, "ESP", "p15", "vfat", "EFI", "1616-47EE")
THIRD = ("sdb2", "part", 2077163520, "gpt", LINUX, "root", "p2", "ext4", "rootfs", "b12f")
STARTS = {"sdb1": 2048, "sdb15": 4096, "sdb2": 258048}


def said(*blocks: tuple[Any, ...], starts: dict[str, int] = STARTS) -> str:
    document = {"blockdevices": [dict(zip(KEYS, block, strict=True)) for block in blocks]}
    lines = "".join(f"{name}/start:{start}\n" for name, start in starts.items())
    return f"{json.dumps(document, indent=3)}\n{lines}"


def changed(block: tuple[Any, ...], **values: Any) -> tuple[Any, ...]:
    return tuple({**dict(zip(KEYS, block, strict=True)), **values}.values())


def test_a_gpt_on_a_disk_that_the_kernel_calls_otherwise() -> None:
    found = parse_layout(said(GPT, FIRST, THIRD, SECOND), "/dev/sda")
    assert found is not None
    assert (found.table, found.size) == ("gpt", 2209939456)
    assert found.types == {"/dev/sda1": "unknown", "/dev/sda2": "ext4", "/dev/sda15": "vfat"}
    assert [partition.device for partition in found.partitions] == ["/dev/sda1", "/dev/sda15", "/dev/sda2"]
    assert found.partitions[2] == Partition("/dev/sda2", 2, 258048 * 512, 2077163520, LINUX.upper())
    assert found.volumes == (
        Volume("/dev/sda15", "/dev/sda15", "vfat", "EFI", "1616-47EE", "ESP", "p15"),
        Volume("/dev/sda2", "/dev/sda2", "ext4", "rootfs", "b12f", "root", "p2"),
    )


def test_an_mbr() -> None:
    disk, part = changed(GPT, pttype="dos"), changed(THIRD, kname="sdb1", pttype="dos", parttype="0x83", partlabel=None)
    found = parse_layout(said(disk, part), "/dev/sda")
    assert found is not None
    assert (found.table, found.partitions[0].type) == ("mbr", "83")
    assert found.volumes[0].partition_label == ""


def test_a_file_system_on_the_whole_disk() -> None:
    disk = changed(GPT, pttype=None, fstype="xfs", label="root", uuid="b7")
    found = parse_layout(said(disk, starts={}), "/dev/sda")
    assert found is not None
    assert (found.table, found.partitions, found.types) == ("none", (), {"/dev/sda": "xfs"})
    assert found.volumes == (Volume("/dev/sda", "/dev/sda", "xfs", "root", "b7"),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        said(),
        said(GPT),
        said(GPT, changed(GPT, kname="sdc"), THIRD),
        said(changed(GPT, pttype="mac"), THIRD),
        said(changed(GPT, fstype="iso9660"), THIRD),
        said(changed(GPT, pttype=None)),
        said(changed(GPT, pttype=None, fstype="LVM2_member")),
        said(GPT, changed(THIRD, fstype="LVM2_member")),
        said(GPT, THIRD, changed(THIRD, kname="dm-0", type="lvm")),
        said(GPT, changed(SECOND, fstype="btrfs"), changed(THIRD, fstype="btrfs")),
        said(GPT, changed(THIRD, parttype="af9b60a0-1431-4f62-bc68-3311714a69ad")),
        said(changed(GPT, pttype="dos"), changed(THIRD, parttype="0x5")),
        said(GPT, changed(THIRD, label="caf\u00e9")),
        said(GPT, changed(THIRD, partlabel="two\nlines")),
        said(GPT, changed(THIRD, label="a\\x20b")),
        said(GPT, THIRD, starts={}),
        said(GPT, changed(THIRD, kname="sdc2")),
    ],
)
def test_what_is_not_simple_is_left_to_libguestfs(text: str) -> None:
    assert parse_layout(text, "/dev/sda") is None


def test_what_has_no_name_but_its_device_may_be_beside_others() -> None:
    assert is_unmistakable(parse_layout(said(GPT, FIRST, THIRD, SECOND), "/dev/sda"))
    assert not is_unmistakable(parse_layout(said(GPT, changed(THIRD, fstype="btrfs")), "/dev/sda"))
    assert not is_unmistakable(parse_layout(said(GPT, changed(THIRD, fstype="LVM2_member")), "/dev/sda"))
