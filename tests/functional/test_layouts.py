"""The guestfs engine reads a system the same way however its disk is laid out, and refuses to guess."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from diskimage_validator import open_target
from diskimage_validator.engines.appliance import launch
from diskimage_validator.engines.guestfs import GuestfsEngine
from diskimage_validator.errors import TargetError
from diskimage_validator.facts import Facts, collect
from tests.functional.layouts import XFS_MIB, Builder, empty_disk, empty_xfs, tar
from tests.support.memory_engine import Entry, File, MemoryEngine
from tests.support.rpm_images import rhel

EFI = {"/boot/efi/EFI/rocky/grubx64.efi": File(b"MZ", 0o755)}
XFS = """\
LABEL=rootfs / xfs defaults 0 0
PARTLABEL=boot /boot ext4 defaults 0 0
LABEL=ESP /boot/efi vfat umask=0077 0 2
"""
LVM = """\
/dev/mapper/rl--9-root / xfs defaults 0 0
/dev/vda1 /boot ext4 defaults 0 0
/dev/mapper/rl--9-swap none swap sw 0 0
"""
BTRFS = "LABEL=system / btrfs subvol=@ 0 0\nLABEL=system /home btrfs subvol=/@home 0 0\n"
SNAPPER = "LABEL=system / btrfs defaults 0 0\nLABEL=system /home btrfs subvol=/@/home 0 0\n"
LAYOUTS = {"xfs": XFS, "lvm": LVM, "btrfs": BTRFS, "snapper": SNAPPER, "unclear": SNAPPER}


def system(fstab: str) -> dict[str, Entry]:
    """Return the tree of a system, its packages in the format of SUSE on btrfs and of EL9 else."""
    return rhel("ndb" if "btrfs" in fstab else "sqlite") | {"/etc/fstab": fstab}


@dataclass
class Disks:
    """The disks by layout, and the empty xfs for LVM. Their order is that of the appliance's devices."""

    paths: dict[str, Path]
    xfs: Path

    def device(self, layout: str) -> str:
        return f"/dev/sd{'abcdefgh'[list(self.paths).index(layout)]}"


def make_xfs(build: Builder, disks: Disks) -> None:
    """ESP, /boot and an xfs root."""
    disk, tree = disks.device("xfs"), system(XFS) | EFI
    build.handle.part_set_name(disk, 2, "boot")
    build.handle.mkfs("vfat", f"{disk}1", label="ESP")
    build.handle.mkfs("ext4", f"{disk}2")
    build.copy(f"/dev/sd{'abcdefgh'[len(disks.paths)]}", f"{disk}3")
    build.fill(f"{disk}3", tar(tree, without="/boot"))
    build.fill(f"{disk}2", tar(tree, "/boot", without="/boot/efi"))
    build.handle.mount(f"{disk}1", "/")
    build.handle.mkdir_p("/EFI/rocky")
    build.handle.write("/EFI/rocky/grubx64.efi", b"MZ")  # vfat has no owners, which tar would set
    build.handle.umount("/")


def make_lvm(build: Builder, disks: Disks) -> None:
    """/boot, and an xfs root on a logical volume whose group has a hyphen in its name."""
    disk, tree = disks.device("lvm"), system(LVM)
    build.handle.mkfs("ext4", f"{disk}1")
    root = build.logical_volume(f"{disk}2", "rl-9", "root", XFS_MIB)
    build.copy(f"/dev/sd{'abcdefgh'[len(disks.paths)]}", root)
    build.fill(root, tar(tree, without="/boot"))
    build.fill(f"{disk}1", tar(tree, "/boot"))


def make_btrfs(build: Builder, disks: Disks) -> None:
    """Subvolumes @ and @home, as Ubuntu and Fedora have them, and a snapshot of @ that is not the root."""
    handle, disk, tree = build.handle, disks.device("btrfs"), system(BTRFS)
    handle.mkfs("btrfs", f"{disk}1", label="system")
    handle.mount(f"{disk}1", "/")
    handle.btrfs_subvolume_create("/@")
    handle.btrfs_subvolume_create("/@home")
    build.unpack(tar(tree, without="/home"), "/@")
    build.unpack(tar(tree, "/home"), "/@home")
    handle.btrfs_subvolume_snapshot("/@", "/@snapshot", ro=True)
    handle.umount("/")


def make_snapper(layout: str) -> Callable[[Builder, Disks], None]:
    def make(build: Builder, disks: Disks) -> None:
        """The root is a snapshot itself and the default subvolume, as on openSUSE; an older one is beside it."""
        handle, disk, tree = build.handle, disks.device(layout), system(SNAPPER)
        handle.mkfs("btrfs", f"{disk}1", label="system")
        handle.mount(f"{disk}1", "/")
        for path in ("/@", "/@/home", "/@/.snapshots"):
            handle.btrfs_subvolume_create(path)
        for number, hostname in (("1", "localhost\n"), ("2", "older\n")):
            handle.mkdir(f"/@/.snapshots/{number}")
            handle.btrfs_subvolume_create(f"/@/.snapshots/{number}/snapshot")
            content = tar(tree | {"/etc/hostname": hostname}, without="/home")
            build.unpack(content, f"/@/.snapshots/{number}/snapshot")
        build.unpack(tar(tree, "/home"), "/@/home")
        if layout == "snapper":
            handle.btrfs_subvolume_set_default(build.subvolume_ids()["@/.snapshots/1/snapshot"], "/")
        handle.umount("/")

    return make


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disks]:
    """Make all disks in one appliance."""
    folder = tmp_path_factory.mktemp("layouts")
    sizes = {"xfs": (40, 40, XFS_MIB), "lvm": (40, XFS_MIB + 60), "btrfs": (300,), "snapper": (300,), "unclear": (300,)}
    paths = {name: empty_disk(folder / f"{name}.raw", *sizes[name]) for name in LAYOUTS}
    made = Disks(paths, empty_xfs(folder / "xfs", "rootfs"))

    def add(handle: Any) -> None:
        for path in (*made.paths.values(), made.xfs):
            handle.add_drive_opts(str(path), format="raw")

    handle, _ = launch(add)
    build = Builder(handle, folder)
    for make in (make_xfs, make_lvm, make_btrfs, make_snapper("snapper"), make_snapper("unclear")):
        make(build, made)
    handle.shutdown()
    handle.close()
    yield made
    for path in (*made.paths.values(), made.xfs):
        path.unlink()


def comparable(facts: Facts) -> dict[str, object]:
    """Return what may not depend on the layout."""
    apart = {"version", "target", "engine", "notes", "collected", "disk"}
    return {field.name: getattr(facts, field.name) for field in fields(facts) if field.name not in apart}


@pytest.mark.parametrize(
    ("layout", "mounted"),
    [
        ("xfs", {"/": "xfs", "/boot": "ext4", "/boot/efi": "vfat"}),
        ("lvm", {"/": "xfs", "/boot": "ext4"}),
        ("btrfs", {"/": "btrfs", "/home": "btrfs"}),
        ("snapper", {"/": "btrfs", "/home": "btrfs"}),
    ],
)
def test_the_facts_do_not_depend_on_the_layout(disks: Disks, layout: str, mounted: dict[str, str]) -> None:
    tree = system(LAYOUTS[layout]) | (EFI if layout == "xfs" else {})
    with MemoryEngine(tree) as engine:
        expected = comparable(collect(engine))
    with open_target(str(disks.paths[layout]), image_format="raw") as engine:
        facts = collect(engine)
        disk = engine.disk()
        assert engine.read("/etc/hostname") == b"localhost\n"
        assert engine.read("/home/zuul/.ssh/authorized_keys").startswith(b"ssh-ed25519 ")
    assert disk is not None
    assert {one.mountpoint: one.type for one in disk.filesystems if one.mountpoint} == mounted
    assert {one.mountpoint for one in disk.filesystems if one.mountpoint and one.clean} == mounted.keys() - {
        "/boot/efi"
    }
    assert {name: value for name, value in comparable(facts).items() if value != expected[name]} == {}
    assert [note for note in facts.notes if "cannot be mounted" in note] == []


def test_two_snapshots_of_which_none_is_the_default_are_refused(disks: Disks) -> None:
    with pytest.raises(TargetError, match="2 file systems in the image with an os-release file"):
        open_target(str(disks.paths["unclear"]), image_format="raw")


@pytest.mark.parametrize(("layout", "simple"), [("xfs", True), ("snapper", True), ("lvm", False)])
def test_a_simple_disk_is_described_as_libguestfs_describes_it(
    disks: Disks, layout: str, simple: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for _ in range(2 if simple else 1):
        with open_target(str(disks.paths[layout]), image_format="raw", engine="guestfs") as engine:
            assert isinstance(engine, GuestfsEngine)
            found.append((engine.disk(), engine._volumes))
            assert (engine._layout is not None) == (simple and len(found) == 1)
        monkeypatch.setattr("diskimage_validator.engines.guestfs.read_layout", lambda *_: None)
    assert found[0] == found[-1]
