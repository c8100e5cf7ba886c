"""One system, many disks, all engines: what is read of it never depends on how it lies there or on who reads it.

The direct engine declines some layouts; which, is asserted here. Each disk is read by guestfs once at most, because
that takes 13 s under TCG, and contents take turns: what is held together are the facts, and they are all the same.
What RPM systems themselves are laid out like is read with both.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from diskimage_validator import open_target
from diskimage_validator.comparison.agreement import agreement
from diskimage_validator.engines.guestfs import GuestfsEngine
from diskimage_validator.errors import DeclinedError, TargetError
from diskimage_validator.facts import USUAL, Facts, collect, replay
from diskimage_validator.facts.disk import DiskFacts
from diskimage_validator.runner import inspect
from tests.functional.layouts import BIOS_BOOT, ESP, XFS_MIB, Layout, Part, Tree, made_disks
from tests.functional.mounted_layouts import mounted
from tests.functional.plain_disks import plain_disk
from tests.support import images
from tests.support.memory_engine import Folder, MemoryEngine
from tests.support.rpm_images import lay_out, rhel

ROOT = "LABEL=rootfs / ext4 defaults 0 1\n"
BOOT = "/dev/vda1 /boot ext4 defaults 0 2\n"
EFI = "LABEL=ESP /boot/efi vfat umask=0077 0 2\n"
SNAPPER = "LABEL=system / btrfs defaults 0 0\nLABEL=system /home btrfs subvol=/@/home 0 0\n"
SNAPSHOTS = (("/@", None), ("/@/home", "/home"), ("/@/.snapshots/1/snapshot", "/"), ("/@/.snapshots/2/snapshot", ""))
"""As openSUSE has it: the root is a snapshot itself, and an older one is beside it."""
LAYOUTS = {
    "whole disk": Layout(ROOT, "none", (Part(64, "ext4", "/", "rootfs"),)),
    "MBR": Layout(
        f"{ROOT}LABEL=home /home ext4 defaults 0 2\n/dev/sda2 none swap sw 0 0\n",
        "mbr",
        (Part(64, "ext4", "/", "rootfs"), Part(16, "swap"), Part(16, "ext3", "/home", "home")),
    ),
    "GPT and ESP": Layout(
        ROOT + EFI,
        "gpt",
        (
            Part(1, gpt_type=BIOS_BOOT),
            Part(40, "vfat", "/boot/efi", "ESP", gpt_type=ESP),
            Part(64, "ext4", "/", "rootfs"),
        ),
    ),
    "separate /boot": Layout(ROOT + BOOT, "mbr", (Part(40, "ext4", "/boot"), Part(64, "ext4", "/", "rootfs"))),
    "4k sectors": Layout(
        ROOT + EFI,
        "gpt",
        (Part(270, "vfat", "/boot/efi", "ESP", gpt_type=ESP), Part(64, "ext4", "/", "rootfs")),
        sector=4096,
    ),
    "LVM": Layout(
        f"/dev/mapper/rl--9-root / xfs defaults 0 0\n{BOOT}/dev/mapper/rl--9-swap none swap sw 0 0\n",
        "gpt",
        (Part(40, "ext4", "/boot"), Part(XFS_MIB + 60, "lvm", "/", "rl-9/root")),
        declined="xfs",
    ),
    "xfs": Layout(
        f"LABEL=rootfs / xfs defaults 0 0\nPARTLABEL=boot /boot ext4 defaults 0 0\n{EFI}",
        "gpt",
        (
            Part(40, "vfat", "/boot/efi", "ESP", gpt_type=ESP),
            Part(40, "ext4", "/boot"),
            Part(XFS_MIB, "xfs", "/", "rootfs"),
        ),
        declined="xfs",
    ),
    "btrfs": Layout(
        "LABEL=system / btrfs subvol=@ 0 0\nLABEL=system /home btrfs subvol=/@home 0 0\n",
        "gpt",
        (Part(300, "btrfs", "", "system", (("/@", "/"), ("/@home", "/home"), ("/@snapshot", ""))),),
        declined="btrfs",
    ),
    "snapper": Layout(
        SNAPPER, "gpt", (Part(300, "btrfs", "", "system", SNAPSHOTS, SNAPSHOTS[2][0]),), declined="btrfs"
    ),
}
UNCLEAR = Layout(SNAPPER, "gpt", (Part(300, "btrfs", "", "system", SNAPSHOTS),))
"""Two systems, of which none is the default subvolume or named by its fstab."""


def debian() -> Tree:
    """Return the small Debian with the folders where a node has what is no part of its disk."""
    return {**images.debian(), "/dev": Folder(), "/proc": Folder(0o555)}


CONTENTS: dict[str, Callable[[], Tree]] = {"deb": debian, "rpm": rhel}
READ_BY_GUESTFS = [
    *((layout, ("deb", "rpm")[number % 2]) for number, layout in enumerate(LAYOUTS)),
    ("xfs", "rpm"),  # how RHEL lays itself out, with and without LVM
    ("snapper", "rpm"),  # and openSUSE
]
OF_THE_DISK = ("target.", "disk")
"""What a folder has not, or has otherwise."""
OF_A_RUNNING_SYSTEM = ("live_",)
"""What only a node that runs can tell, and none of these is asked."""
AT_REST = [name for name in USUAL if not name.startswith(OF_A_RUNNING_SYSTEM)]


def disk_name(layout: str, content: str) -> str:
    return f"{layout.replace('/', '')} {content}"


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Make a disk for each layout and content that somebody reads; those that need it, in one appliance."""
    made = {
        disk_name(layout, content): (LAYOUTS[layout], CONTENTS[content]())
        for layout in LAYOUTS
        for content in CONTENTS
        if not LAYOUTS[layout].declined or (layout, content) in READ_BY_GUESTFS
    }
    made["unclear"] = (UNCLEAR, rhel())
    folder = tmp_path_factory.mktemp("layouts")
    plain = {
        name: plain_disk(folder / f"{name}.raw", layout, layout.tree(tree))
        for name, (layout, tree) in made.items()
        if layout.is_plain
    }
    others = {name: disk for name, disk in made.items() if name not in plain}
    with made_disks(folder, others) as paths:
        yield plain | paths


@pytest.fixture(scope="module")
def by_guestfs(disks: dict[str, Path]) -> Callable[[str, str], Facts]:
    """Return what reads a disk with guestfs, each once."""
    found: dict[str, Facts] = {}

    def read(layout: str, content: str) -> Facts:
        name = disk_name(layout, content)
        if name not in found:
            found[name] = inspect(str(disks[name]), engine="guestfs", image_format="raw")
        return found[name]

    return read


def expected(layout: str, content: str) -> Facts:
    """Return the facts of a system in memory."""
    with MemoryEngine(LAYOUTS[layout].tree(CONTENTS[content]())) as engine:
        return collect(engine)


def differences(left: Facts, right: Facts, *, apart: tuple[str, ...] = ()) -> dict[str, tuple[str, str]]:
    """Return what two engines tell differently, but for what is at one of the places ``apart``."""
    return {one.path: one.values for one in agreement(left, right).differences if not one.path.startswith(apart)}


@pytest.mark.parametrize(("layout", "content"), READ_BY_GUESTFS)
def test_guestfs_reads_the_system_in_every_layout(
    by_guestfs: Callable[[str, str], Facts], layout: str, content: str
) -> None:
    facts = by_guestfs(layout, content)
    assert differences(expected(layout, content), facts, apart=OF_THE_DISK) == {}
    assert [note for note in facts.notes if "cannot be mounted" in note] == []
    mounted = LAYOUTS[layout].mountpoints
    assert isinstance(facts.disk, DiskFacts)
    filesystems = [one for one in facts.disk.filesystems if one.mountpoint]
    assert {one.mountpoint: one.type for one in filesystems} == mounted
    assert {one.mountpoint for one in filesystems if one.clean} == {
        place for place, kind in mounted.items() if kind != "vfat"
    }
    assert facts.disk.partition_table == LAYOUTS[layout].table


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("layout", [name for name, layout in LAYOUTS.items() if not layout.declined])
def test_direct_reads_the_same_or_declines(
    disks: dict[str, Path], by_guestfs: Callable[[str, str], Facts], layout: str, content: str
) -> None:
    facts = inspect(str(disks[disk_name(layout, content)]), engine="direct", image_format="raw")
    assert differences(expected(layout, content), facts, apart=OF_THE_DISK) == {}
    if (layout, content) in READ_BY_GUESTFS:
        assert differences(by_guestfs(layout, content), facts) == {}


@pytest.mark.parametrize(("layout", "content"), [pair for pair in READ_BY_GUESTFS if LAYOUTS[pair[0]].declined])
def test_direct_declines_what_it_cannot_read_for_certain(disks: dict[str, Path], layout: str, content: str) -> None:
    with pytest.raises(DeclinedError, match=LAYOUTS[layout].declined):
        inspect(str(disks[disk_name(layout, content)]), engine="direct", image_format="raw")


@pytest.mark.parametrize("content", CONTENTS)
def test_an_unpacked_tree_has_the_same_facts(tmp_path: Path, content: str) -> None:
    folder = lay_out(LAYOUTS["MBR"].tree(CONTENTS[content]()), tmp_path / "root")
    facts = inspect(f"dir:{folder}")
    assert facts.disk is None
    assert differences(expected("MBR", content), facts, apart=OF_THE_DISK) == {}


@pytest.mark.parametrize("shell", [True, False], ids=["with a shell", "SFTP alone"])
@pytest.mark.parametrize(("layout", "content"), READ_BY_GUESTFS)
def test_the_node_that_runs_from_the_disk_has_the_same_facts(
    disks: dict[str, Path], layout: str, content: str, shell: bool, tmp_path: Path
) -> None:
    with mounted(disks[disk_name(layout, content)], LAYOUTS[layout], tmp_path, shell=shell) as node:
        over_ssh = inspect(node.server.url, ssh=node.server.options(), only=AT_REST)
        as_folder = replay(node.inspect_as_folder())
    assert differences(expected(layout, content), as_folder, apart=OF_THE_DISK) == {}
    assert differences(as_folder, over_ssh, apart=(*OF_THE_DISK, *OF_A_RUNNING_SYSTEM)) == {}
    assert any("one by one" in note for note in over_ssh.notes) != shell, over_ssh.notes


def test_two_snapshots_of_which_none_is_the_default_are_refused(disks: dict[str, Path]) -> None:
    with pytest.raises(TargetError, match="2 file systems in the image with an os-release file"):
        open_target(str(disks["unclear"]), engine="guestfs", image_format="raw")


@pytest.mark.parametrize(("layout", "content"), [("GPT and ESP", "deb"), ("4k sectors", "deb"), ("snapper", "rpm")])
def test_a_simple_disk_is_described_as_libguestfs_describes_it(
    disks: dict[str, Path], layout: str, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for simple in (True, False):
        with open_target(str(disks[disk_name(layout, content)]), image_format="raw", engine="guestfs") as engine:
            assert isinstance(engine, GuestfsEngine)
            assert (engine._layout is not None) == simple
            found.append((engine.disk(), engine._volumes))
        monkeypatch.setattr("diskimage_validator.engines.guestfs.read_layout", lambda *_: None)
    assert found[0] == found[1]
