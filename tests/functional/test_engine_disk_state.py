"""Whether file systems were left in order, and what the partitions are: on a disk whose machine lost its power."""

import subprocess
from pathlib import Path

import pytest

from diskimage_validator import open_target
from diskimage_validator.engines.appliance import launch
from diskimage_validator.engines.base import Disk

MIB = 1024 * 1024
SCRIPT = """\
label: gpt
size=32MiB, type=U
size=64MiB
size=320MiB
size=320MiB, type=L
"""
STARTS = {1: 1, 2: 33, 3: 97, 4: 417}
"""Number of the partition to its start in MiB."""
FSTAB = "LABEL=root / ext4 defaults 0 1\nLABEL=one /boot ext4 defaults 0 2\n"
FSTAB_XFS = "LABEL=good /good xfs defaults 0 2\nLABEL=bad /bad xfs defaults 0 2\n"


def make_ext4(image: Path, number: int, label: str, size: int, folder: Path) -> None:
    options = ["-q", "-t", "ext4", "-L", label, "-d", str(folder), "-E", f"offset={STARTS[number] * MIB}"]
    subprocess.run(["mke2fs", *options, str(image), f"{size}M"], check=True)


def make_xfs(image: Path, number: int, label: str, size: int) -> None:
    """Make the file system in a file of its own, and copy what is no hole in it to its place."""
    part = image.with_name(label)
    with part.open("wb") as file:
        file.truncate(size * MIB)
    subprocess.run(["mkfs.xfs", "-q", "-L", label, str(part)], check=True)
    target = ["of=" + str(image), f"seek={STARTS[number]}", "bs=1M", "conv=notrunc,sparse", "status=none"]
    subprocess.run(["dd", f"if={part}", *target], check=True)
    part.unlink()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    """Return the disk with an ext4 that is marked as mounted, a clean ext4, a clean xfs and one with a dirty log."""
    folder = tmp_path_factory.mktemp("state")
    root = folder / "root"
    for name in ("usr/lib", "etc", "boot", "good", "bad"):
        (root / name).mkdir(parents=True)
    (root / "usr/lib/os-release").write_text('ID=debian\nVERSION_ID="12"\n')
    (root / "etc/fstab").write_text(FSTAB + FSTAB_XFS)
    image = folder / "node.raw"
    with image.open("wb") as file:
        file.truncate(740 * MIB)
    sfdisk = ["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(image)]
    subprocess.run(sfdisk, input=SCRIPT, text=True, check=True)
    make_ext4(image, 1, "one", 32, folder / "root/boot")
    make_ext4(image, 2, "root", 64, root)
    where = f"{image}?offset={STARTS[1] * MIB}"
    subprocess.run(["debugfs", "-w", "-R", "set_super_value state 0", where], check=True, stderr=subprocess.DEVNULL)
    make_xfs(image, 3, "good", 320)
    make_xfs(image, 4, "bad", 320)
    handle, _ = launch(lambda guest: guest.add_drive_opts(str(image), format="raw"))
    for number, label in ((3, "good"), (4, "bad")):
        handle.mount(f"/dev/sda{number}", "/")
        handle.write("/x", b"x")
        handle.sync()
        if label == "good":
            handle.umount("/")
    handle.set_autosync(False)
    handle.close()  # the machine loses its power here
    with open_target(str(image)) as engine:
        disk = engine.disk()
    assert disk is not None
    return disk


def test_what_was_not_unmounted_is_not_clean(found: Disk) -> None:
    assert {one.mountpoint: (one.type, one.clean) for one in found.filesystems} == {
        "/": ("ext4", True),
        "/boot": ("ext4", False),
        "/good": ("xfs", True),
        "/bad": ("xfs", False),
    }


def test_partitions_are_those_of_the_table(found: Disk) -> None:
    assert found.partitions is not None
    assert {one.number: one.start // MIB for one in found.partitions} == STARTS
    assert [one.device for one in found.partitions] == [f"/dev/sda{number}" for number in STARTS]
    assert found.partitions[0].type == "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
    assert found.partitions[1].size == 64 * MIB


def test_inodes_features_and_the_format(found: Disk) -> None:
    root = next(one for one in found.filesystems if one.mountpoint == "/")
    assert 0 < (root.free_inodes or 0) < (root.inodes or 0)
    assert "extent" in (root.features or ())
    assert root.block_size in (1024, 4096)
    assert (found.compat, found.compression) == (None, None)
