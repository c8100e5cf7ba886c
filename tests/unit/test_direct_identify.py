"""What is on a partition, against what blkid says of the same bytes."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from diskimage_validator.engines.direct.blocks import window
from diskimage_validator.engines.direct.identify import EXT, ext_type, identify
from diskimage_validator.errors import DeclinedError
from tests.support import disks
from tests.support.disks import MIB

DEVICE = "/dev/sda1"


def tool(*command: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        disks.run(*command, path)

    return make


def mke2fs(*options: str) -> Callable[[Path], None]:
    return tool("mke2fs", "-q", "-F", *options)


EXT_KINDS = {
    "ext2": mke2fs("-t", "ext2"),
    "ext3": mke2fs("-t", "ext3"),
    "ext4": mke2fs("-t", "ext4"),
    "ext4 without a journal": mke2fs("-t", "ext4", "-O", "^has_journal"),
    "ext2 with dir_nlink": mke2fs("-t", "ext2", "-O", "dir_nlink"),
    "ext2 with extents": mke2fs("-t", "ext2", "-O", "extent"),
    "ext3 with meta_bg": mke2fs("-t", "ext3", "-O", "meta_bg,^resize_inode"),
    "ext2 with large blocks": mke2fs("-t", "ext2", "-b", "4096"),
}
OTHERS = {
    "swap": tool("mkswap", "-q"),
    "vfat": tool("mkfs.vfat"),
    "vfat, FAT12": tool("mkfs.vfat", "-F", "12"),
    "xfs": tool("mkfs.xfs", "-q"),
}


def blkid(path: Path) -> str:
    said = disks.run("blkid", "-c", "/dev/null", "-o", "value", "-s", "TYPE", path)
    return said.strip()


def kind_of(path: Path) -> str:
    size = path.stat().st_size
    return identify(window(disks.reader(path), 0, size), size, DEVICE)


@pytest.mark.parametrize("name", EXT_KINDS)
def test_kinds_of_ext_are_told_apart_as_blkid_does(tmp_path: Path, name: str) -> None:
    path = disks.empty(tmp_path / "part", 16 * MIB)
    EXT_KINDS[name](path)
    assert kind_of(path) == EXT
    assert ext_type(disks.reader(path), DEVICE) == blkid(path)


@pytest.mark.parametrize("name", ["swap", "vfat", "vfat, FAT12"])
def test_what_is_read_besides_is_what_blkid_says(tmp_path: Path, name: str) -> None:
    path = disks.empty(tmp_path / "part", 16 * MIB)
    OTHERS[name](path)
    assert kind_of(path) == blkid(path)


def test_what_is_not_read_is_declined_with_its_name(tmp_path: Path) -> None:
    path = disks.empty(tmp_path / "part", 320 * MIB)
    OTHERS["xfs"](path)
    assert blkid(path) == "xfs"
    with pytest.raises(DeclinedError, match="/dev/sda1 holds xfs"):
        kind_of(path)


@pytest.mark.parametrize("content", [b"", b"\xeb\x63\x90GRUB" * 9000, bytes(range(256)) * 400])
def test_what_blkid_does_not_know_is_unknown(tmp_path: Path, content: bytes) -> None:
    path = disks.empty(tmp_path / "part", MIB)
    disks.put(path, 0, content)
    assert kind_of(path) == "unknown"
    said = disks.run("sh", "-c", f"blkid -p -o value -s TYPE {path} || :")
    assert said == ""


@pytest.mark.parametrize("size", [512, 1024, 2048, 65_536])
def test_small_partitions(tmp_path: Path, size: int) -> None:
    assert kind_of(disks.empty(tmp_path / "part", size)) == "unknown"


def test_two_marks_are_declined(tmp_path: Path) -> None:
    path = disks.empty(tmp_path / "part", 16 * MIB)
    EXT_KINDS["ext4"](path)
    shutil.copy(path, tmp_path / "both")
    disks.put(tmp_path / "both", 4086, b"SWAPSPACE2")
    with pytest.raises(DeclinedError, match="several things: ext, swap"):
        kind_of(tmp_path / "both")


def test_an_external_journal_is_declined(tmp_path: Path) -> None:
    path = disks.empty(tmp_path / "part", 16 * MIB)
    disks.run("mke2fs", "-q", "-F", "-O", "journal_dev", path)
    assert blkid(path) == "jbd"
    with pytest.raises(DeclinedError, match="journal of another file system"):
        ext_type(disks.reader(path), DEVICE)
