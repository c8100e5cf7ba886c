"""The direct engine on disks made in milliseconds: what it reads is what is in the folder that the disk was made of."""

import struct
from dataclasses import fields
from pathlib import Path

import pytest

from diskimage_validator import runner
from diskimage_validator.engines import open as opening
from diskimage_validator.engines.base import Engine, Stat
from diskimage_validator.engines.direct.engine import DirectEngine
from diskimage_validator.engines.directory import DirectoryEngine
from diskimage_validator.engines.open import open_target, read_target
from diskimage_validator.errors import DeclinedError, EngineError, EntryNotFoundError
from diskimage_validator.facts import Facts, Unreadable, collect
from diskimage_validator.image_file import examine
from tests.support import disk_layouts, disks, images
from tests.support.disk_layouts import FSTAB, LAYOUTS, ROOT_UUID, SECOND, ext4, gpt, logical, mbr
from tests.support.disks import MIB
from tests.support.memory_engine import Entry, File, MemoryEngine


@pytest.fixture
def root(tree: dict[str, Entry], tmp_path: Path) -> Path:
    """A small system in a folder, with what an ESP holds below /boot/efi."""
    system = tree | {"/etc/fstab": FSTAB, "/boot/efi/EFI/debian/grubx64.efi": File(b"MZ", 0o755)}
    return disk_layouts.unpack(system, tmp_path / "root")


VARIANTS = {
    "v2": ["-c", "-o", "compat=0.10"],
    "zlib": ["-c"],
    "zstd": ["-c", "-o", "compression_type=zstd"],
    "4k clusters": ["-c", "-o", "cluster_size=4k"],
}
APART = {"version", "target", "engine", "notes", "collected", "disk", "services", "sudo", "ssh"}


def comparable(facts: Facts) -> dict[str, object]:
    """Return what may not depend on the engine; a folder has no services, rights of sudo and sshd of its own."""
    return {field.name: getattr(facts, field.name) for field in fields(facts) if field.name not in APART}


def walk(engine: Engine) -> dict[str, Stat]:
    """Return what is in a target, but for the sizes of folders and for lost+found, which depend on the file system."""
    found: dict[str, Stat] = {}
    for path, entry in engine.walk("/"):
        size = 0 if entry.is_dir else entry.size
        if path.startswith("/boot"):  # an ESP has no owners, and dates to two seconds
            found[path] = Stat(entry.mode, 0, 0, size, 0)
        elif "lost+found" not in path:
            found[path] = Stat(entry.mode, entry.uid, entry.gid, size, entry.mtime)
    return {path: entry for path, entry in found.items() if "lost+found" not in path}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_facts_are_those_of_the_folder(root: Path, tmp_path: Path, layout: str) -> None:
    with DirectoryEngine(root) as engine:
        expected, entries = comparable(collect(engine)), walk(engine)
    image = disks.qcow2(LAYOUTS[layout](root, tmp_path / "disk.raw"), tmp_path / "disk.qcow2", "-c")
    with open_target(str(image)) as engine:
        assert engine.name == "direct"
        assert walk(engine) == entries
        facts = collect(engine)
        assert engine.read("/boot/efi/EFI/debian/grubx64.efi") == b"MZ"
        assert engine.readlink("/etc/os-release") == "../usr/lib/os-release"
    assert {name: value for name, value in comparable(facts).items() if value != expected[name]} == {}
    assert facts.notes == ()


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_of_qcow2(root: Path, tmp_path: Path, variant: str) -> None:
    image = disks.qcow2(mbr(root, tmp_path / "disk.raw"), tmp_path / "disk.qcow2", *VARIANTS[variant])
    with open_target(str(image), engine="direct") as engine:
        assert engine.read("/etc/fstab") == FSTAB.encode()
        disk = engine.disk()
    assert disk is not None
    assert disk.compat == ("0.10" if variant == "v2" else "1.1")


def test_a_raw_disk(root: Path, tmp_path: Path) -> None:
    with open_target(str(mbr(root, tmp_path / "disk.raw")), engine="direct") as engine:
        assert engine.read("/etc/fstab") == FSTAB.encode()


def test_a_disk_with_large_sectors(root: Path, tmp_path: Path) -> None:
    disk = disks.big_sectors(disks.empty(tmp_path / "disk.raw", 40 * MIB), 32 * MIB)
    ext4(disk, MIB, 32 * MIB, root, "-b", "4096")
    with open_target(str(disk), engine="direct") as engine:
        assert engine.read("/etc/fstab") == FSTAB.encode()
        assert engine.notes == ["the disk is laid out for sectors of 4096 bytes, which few machines have"]
    ext4(disk, MIB, 32 * MIB, root, "-b", "1024")
    assert "made for smaller sectors than the partition table" in declined(disk)


def test_the_disk_is_described(root: Path, tmp_path: Path) -> None:
    with open_target(str(gpt(root, tmp_path / "disk.raw"))) as engine:
        disk = engine.disk()
    assert disk is not None
    assert (disk.partition_table, disk.virtual_size) == ("gpt", 64 * MIB)
    assert [(one.device, one.type, one.mountpoint) for one in disk.filesystems] == [
        ("/dev/sda1", "unknown", None),
        ("/dev/sda2", "vfat", "/boot/efi"),
        ("/dev/sda3", "ext4", "/"),
        ("/dev/sda4", "ext4", "/boot"),
    ]
    assert disk.partitions is not None
    assert [one.number for one in disk.partitions] == [1, 2, 3, 4]
    boot = disk.filesystems[3]
    assert (boot.label, boot.clean, boot.block_size) == ("boot", True, 1024)
    assert disk.filesystems[2].uuid == ROOT_UUID
    assert disk.filesystems[1].size is not None
    assert 7 * MIB < disk.filesystems[1].size < 8 * MIB


def test_what_is_not_mounted_has_no_usage(root: Path, tmp_path: Path) -> None:
    (root / "etc/fstab").write_text("")
    with open_target(str(gpt(root, tmp_path / "disk.raw"))) as engine:
        disk = engine.disk()
        assert engine.listdir("/boot") == []
    assert disk is not None
    assert {one.device: one.size is None for one in disk.filesystems} == {
        "/dev/sda1": True,
        "/dev/sda2": True,
        "/dev/sda3": False,
        "/dev/sda4": True,
    }


def test_a_mount_point_that_is_not_there_is_noted(root: Path, tmp_path: Path) -> None:
    (root / "etc/fstab").write_text("LABEL=boot /none ext4 defaults 0 2\n")
    with open_target(str(logical(root, tmp_path / "disk.raw"))) as engine:
        assert engine.notes == ["/dev/sda5 (ext4) cannot be mounted on /none: no directory"]


# What is declined.


def declined(disk: Path) -> str:
    with pytest.raises(DeclinedError) as caught:
        open_target(str(disk), engine="direct")
    assert caught.value.exit_status == 3
    assert caught.value.hint
    return caught.value.message


def second(root: Path, disk: Path) -> Path:
    """A root, and a second partition of 16 MiB with nothing in it, at SECOND."""
    disks.partitioned(disk, "label: dos\nsize=32MiB, type=83\nsize=16MiB, type=83\n", 64 * MIB)
    ext4(disk, MIB, 32 * MIB, root)
    return disk


@pytest.mark.parametrize(
    ("offset", "magic", "kind"),
    [
        (0, b"XFSB", "xfs"),
        (65_600, b"_BHRfS_M", "btrfs"),
        (0, b"LUKS\xba\xbe\0\2", "crypto_LUKS"),
        (4096, b"\xfc\x4e\x2b\xa9", "linux_raid_member"),
        (16 * MIB - 65_536, b"\xfc\x4e\x2b\xa9", "linux_raid_member"),
        (512, b"LABELONE", "LVM"),
    ],
)
def test_what_may_hold_a_root_that_cannot_be_read_is_declined(
    root: Path, tmp_path: Path, offset: int, magic: bytes, kind: str
) -> None:
    disk = second(root, tmp_path / "disk.raw")
    disks.put(disk, SECOND + offset, magic)
    assert kind in declined(disk)


def test_a_second_root_and_no_root_are_declined(root: Path, tmp_path: Path) -> None:
    disk = second(root, tmp_path / "disk.raw")
    ext4(disk, SECOND, 16 * MIB, root)
    assert "2 file systems in the image with an os-release file" in declined(disk)
    (root / "usr/lib/os-release").unlink()
    assert "no file system in the image with an os-release file" in declined(mbr(root, tmp_path / "none.raw"))


def test_a_disk_cut_off_in_a_file_is_declined(root: Path, tmp_path: Path) -> None:
    disk = mbr(root, tmp_path / "disk.raw")
    with disk.open("r+b") as file:
        file.truncate(20 * MIB)
    assert "not on the disk" in declined(disk)


def test_a_journal_to_be_replayed_is_declined(root: Path, tmp_path: Path) -> None:
    disk = mbr(root, tmp_path / "disk.raw")
    superblock = MIB + 1024
    incompat = struct.unpack_from("<I", disk.read_bytes(), superblock + 0x60)[0]
    disks.run("debugfs", "-w", "-R", "feature needs_recovery", f"{disk}?offset={MIB}")
    assert struct.unpack_from("<I", disk.read_bytes(), superblock + 0x60)[0] == incompat | 4
    assert "recover" in declined(disk)


def test_a_missing_program_is_declined(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = mbr(root, tmp_path / "disk.raw")
    monkeypatch.setattr("diskimage_validator.engines.direct.qemu_nbd.PROGRAM", "qemu-nbd-is-not-here")
    assert "qemu-nbd-is-not-here is not installed" in declined(disk)


# What is declined later, and who goes on.


@pytest.fixture
def damaged(root: Path, tmp_path: Path) -> Path:
    return disk_layouts.damaged(root, tmp_path / "disk.raw")


def test_a_late_decline_escapes_the_facts_and_stays(damaged: Path) -> None:
    with open_target(str(damaged), engine="direct") as engine:
        assert engine.exists("/etc/os-release")
        engine.confirm()
        with pytest.raises(DeclinedError):
            collect(engine)
        with pytest.raises(DeclinedError):
            engine.confirm()
        with pytest.raises(DeclinedError):
            engine.read("/etc/os-release")


def test_a_decline_that_a_fact_swallowed_is_not_forgotten(damaged: Path) -> None:
    def swallow(engine: Engine) -> str:
        try:
            engine.listdir("/etc/ssl/certs")
        except EngineError:
            return "swallowed"
        return "read"

    with pytest.raises(DeclinedError, match="the direct engine declines"):
        read_target(str(damaged), swallow, engine="direct")


def other_engine(monkeypatch: pytest.MonkeyPatch, tree: dict[str, Entry]) -> None:
    """Have a dict in libguestfs' place, which takes ten seconds to start; the functional tests take the real one."""
    module = "diskimage_validator.engines.guestfs.GuestfsEngine"
    monkeypatch.setattr(module, lambda image, **options: MemoryEngine(tree, disk=images.disk()))


def test_another_engine_goes_on_from_the_beginning(
    damaged: Path, tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    other_engine(monkeypatch, tree)
    facts = runner.inspect(str(damaged))
    assert facts.engine == "memory"
    (note,) = facts.notes
    assert note.startswith("the direct engine declined: ")
    assert not isinstance(facts.packages, Unreadable)


def test_another_engine_opens_what_the_direct_one_declines(
    root: Path, tmp_path: Path, tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    other_engine(monkeypatch, tree)
    disk = second(root, tmp_path / "disk.raw")
    disks.put(disk, SECOND, b"XFSB")
    with open_target(str(disk)) as engine:
        assert engine.name == "memory"
        assert engine.notes == ["the direct engine declined: /dev/sda2 holds xfs, which this engine does not read"]


@pytest.mark.parametrize("status", ["", images.status({"dpkg": "1.21"}).replace("installed", "not-installed")])
def test_without_any_package_another_engine_looks(
    root: Path, tmp_path: Path, tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    (root / images.STATUS.lstrip("/")).write_text(status)
    disk = str(mbr(root, tmp_path / "disk.raw"))
    with pytest.raises(DeclinedError, match="the direct engine declines: the packages cannot be read"):
        runner.inspect(disk, engine="direct")
    assert runner.inspect(disk, engine="direct", only=["os"]).engine == "direct"
    other_engine(monkeypatch, tree)
    assert runner.inspect(disk).engine == "memory"


def test_a_reader_that_breaks_is_a_decline(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with DirectEngine(examine(mbr(root, tmp_path / "disk.raw"))) as engine:

        def broken(path: str) -> list[str]:
            raise KeyError(path)

        reader = engine._storage.opened["/dev/sda1"].reader
        monkeypatch.setattr(reader, "listdir", broken)
        with pytest.raises(EntryNotFoundError):
            engine.listdir("/none")
        engine.confirm()
        with pytest.raises(DeclinedError, match="KeyError"):
            engine.listdir("/etc")
        with pytest.raises(DeclinedError, match="KeyError"):
            engine.confirm()


def test_the_server_that_dies_is_a_decline(root: Path, tmp_path: Path) -> None:
    with DirectEngine(examine(mbr(root, tmp_path / "disk.raw"))) as engine:
        assert engine._server._service is not None
        engine._server._service.stop()
        with pytest.raises(DeclinedError, match="qemu-nbd"):
            collect(engine)


def test_engines_are_listed() -> None:
    assert opening.ENGINES[:2] == ("auto", "direct")
