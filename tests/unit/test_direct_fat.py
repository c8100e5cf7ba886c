"""FAT as the direct engine reads it, made by mkfs.vfat and filled by mtools."""

import random
import stat
from pathlib import Path

import pytest

from diskimage_validator.engines.direct.blocks import window
from diskimage_validator.engines.direct.fat import FatFilesystem
from diskimage_validator.errors import DeclinedError
from tests.support import disks
from tests.support.disks import MIB

FILES = {
    "EFI/debian/shimx64.efi": bytes(range(256)) * 700,
    "EFI/BOOT/BOOTX64.EFI": b"MZ",
    "EFI/a name that is longer than eight letters and three.conf": b"long",
    "lower.txt": b"lower",
    "EMPTY": b"",
}
SHAPES = {
    "FAT12": (4 * MIB, ["-F", "12"]),
    "FAT16": (16 * MIB, ["-F", "16"]),
    "FAT32": (64 * MIB, ["-F", "32", "-s", "1"]),
    "FAT32, clusters of 4 KiB": (300 * MIB, ["-F", "32", "-s", "8"]),
    "sectors of 4096 bytes": (300 * MIB, ["-S", "4096"]),
}


def opened(disk: Path) -> FatFilesystem:
    size = disk.stat().st_size
    return FatFilesystem(window(disks.reader(disk), 0, size), size)


@pytest.fixture
def esp(tmp_path: Path) -> Path:
    return disks.fat(tmp_path / "esp", 8 * MIB, FILES, "-n", "ESP", "-i", "1A2b3C4d")


def walk(fat: FatFilesystem, folder: str = "/") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name, entry in fat.scan(folder):
        path = f"{folder.rstrip('/')}/{name}"
        assert fat.lstat(path) == entry
        if entry.is_dir:
            found |= walk(fat, path)
        else:
            found[path[1:]] = fat.read_file(path, 0, entry.size)
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_names_and_content_are_those_that_were_written(tmp_path: Path, shape: str) -> None:
    size, options = SHAPES[shape]
    fat = opened(disks.fat(tmp_path / "esp", size, FILES, *options))
    assert walk(fat) == FILES


@pytest.mark.parametrize("shape", SHAPES)
def test_free_space_is_what_fsck_says(tmp_path: Path, shape: str) -> None:
    size, options = SHAPES[shape]
    disk = disks.fat(tmp_path / "esp", size, FILES, *options)
    fat = opened(disk)
    said = disks.run("fsck.fat", "-nv", disk)
    cluster = int(next(line for line in said.splitlines() if "bytes per cluster" in line).split()[0])
    used, total = next(line for line in said.splitlines() if line.endswith("clusters")).split()[-2].split("/")
    assert (fat.total, fat.free) == (int(total) * cluster, (int(total) - int(used)) * cluster)


@pytest.mark.parametrize("options", [["-n", "ESP", "-i", "1A2b3C4d"], ["-i", "0000000f"], ["-F", "32", "-n", "A B"]])
def test_label_and_uuid_are_what_blkid_says(tmp_path: Path, options: list[str]) -> None:
    disk = disks.fat(tmp_path / "esp", 64 * MIB, {}, *options)
    fat = opened(disk)
    said = dict(line.split("=", 1) for line in disks.run("blkid", "-p", "-o", "export", disk).splitlines())
    assert (said["TYPE"], said.get("LABEL", "").replace("\\", ""), said["UUID"]) == ("vfat", fat.label, fat.uuid)


def test_case_does_not_matter_and_short_names_work_too(esp: Path) -> None:
    fat = opened(esp)
    assert fat.lstat("/efi/DEBIAN/ShimX64.EFI") == fat.lstat("/EFI/debian/shimx64.efi")
    assert fat.read_file("/EFI/ANAMET~1.CON", 0, 100) == b"long"
    assert fat.read_file("/lower.txt.", 0, 100) == b"lower"
    assert fat.lstat("/EFI/none") is None
    assert fat.lstat("/lower.txt/below") is None


def test_everything_belongs_to_root(esp: Path) -> None:
    fat = opened(esp)
    disks.run("mattrib", "+r", "-i", esp, "::lower.txt")
    entry = fat.lstat("/lower.txt")
    assert entry is not None
    assert (entry.mode, entry.uid, entry.gid, entry.size) == (stat.S_IFREG | 0o755, 0, 0, 5)
    entry = opened(esp).lstat("/lower.txt")
    assert entry is not None
    assert entry.mode == stat.S_IFREG | 0o555
    root = fat.lstat("/")
    assert root is not None
    assert (root.mode, root.size, root.mtime) == (stat.S_IFDIR | 0o755, 512 * 32, 0)
    folder = fat.lstat("/EFI")
    assert folder is not None
    assert (folder.is_dir, folder.size) == (True, 2048)


def test_dates_are_taken_for_utc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    disk = disks.fat(tmp_path / "esp", MIB, {"FILE": b""})
    entry = opened(disk).lstat("/FILE")
    assert entry is not None
    assert entry.mtime == 1_700_000_000


def test_part_of_a_file_is_read(esp: Path) -> None:
    fat, content = opened(esp), FILES["EFI/debian/shimx64.efi"]
    for offset, size in ((0, 10), (2047, 2), (2048, 2048), (5000, 20_000), (len(content) - 3, 100), (10**6, 1)):
        assert fat.read_file("/EFI/debian/shimx64.efi", offset, size) == content[offset : offset + size]


def test_what_is_no_folder_is_declined(esp: Path) -> None:
    fat = opened(esp)
    for path in ("/lower.txt", "/none"):
        with pytest.raises(DeclinedError, match="no folder"):
            fat.scan(path)
    with pytest.raises(DeclinedError, match="no file"):
        fat.read_file("/EFI", 0, 1)


def test_a_name_that_is_not_ascii_is_declined(tmp_path: Path) -> None:
    disk = disks.fat(tmp_path / "esp", MIB, {"FILE.TXT": b""})
    place = disk.read_bytes().index(b"FILE    TXT")
    disks.put(disk, place, b"F\x94")
    with pytest.raises(DeclinedError, match="not ASCII"):
        opened(disk)


def test_a_folder_in_itself_is_declined(esp: Path) -> None:
    data = esp.read_bytes()
    place = data.index(b"BOOT       \x10")
    folder = data.index(b".          \x10", data.index(b"EFI        \x10") + 1)
    disks.put(esp, place + 26, data[folder + 26 : folder + 28])  # EFI/BOOT is EFI
    with pytest.raises(DeclinedError, match="a folder is inside itself"):
        walk(opened(esp))


def test_a_chain_in_a_circle_is_declined(esp: Path) -> None:
    data = esp.read_bytes()
    table = 512 * int.from_bytes(data[14:16], "little")
    for number in range(2, 90):
        place = table + number + number // 2  # FAT12: one and a half bytes each
        word = int.from_bytes(data[place : place + 2], "little")
        loop = word & 0xF | number << 4 if number % 2 else word & 0xF000 | number
        disks.put(esp, place, loop.to_bytes(2, "little"))
        data = esp.read_bytes()
    with pytest.raises(DeclinedError, match="chain of clusters"):
        walk(opened(esp))


@pytest.mark.parametrize("seed", range(60))
def test_no_damage_leads_astray(esp: Path, seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(esp.read_bytes())
    for _ in range(3):
        place = chance.choice((chance.randrange(90), chance.randrange(512, 40_000)))
        data[place] = chance.randrange(256)
    size = len(data)
    try:
        fat = FatFilesystem(window(lambda offset, length: bytes(data[offset : offset + length]), 0, size), size)
        for name, entry in fat.scan("/"):
            if entry.is_file:
                fat.read_file(f"/{name}", 0, 1000)
    except DeclinedError:
        return
    assert fat.total <= size
