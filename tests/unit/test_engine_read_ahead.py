"""What is read ahead of an ext4: the commands for the appliance, run here on file systems that are made here."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from diskimage_validator.engines import read_ahead
from diskimage_validator.engines.read_ahead import COMMAND, DEVICE, MAX_BYTES, WORTH, Range, ranges

BLOCK = 4096
LAST_MOUNTED = 1024 + 136
"""Where the 64 bytes of s_last_mounted are: Documentation/filesystems/ext4/super.rst."""
HEADER = f" Block size:               {BLOCK}\n Inodes per group:         8192\n Inode size:\t          256\n"
FLEX = " Flex block group size:    16\n"


def group(table: int, folders: int, unused: int | None) -> str:
    """Return the lines of one group as dumpe2fs writes them."""
    said = f", {unused} unused inodes" if unused is not None else ""
    counts = f"   1 free blocks, 2 free inodes, {folders} directories{said}\n"
    return f"   Inode table at {table}-{table + 511} (+{table})\n{counts}"


class Appliance:
    """A handle whose shell is this host's; ``mounts`` stands for /proc/mounts, and ``device`` for the devices in it."""

    def __init__(self, mounts: Path, device: Path) -> None:
        self.mounts = mounts
        self.device = device
        self.commands: list[str] = []

    def debug(self, command: str, arguments: list[str]) -> str:
        assert command == "sh"
        (text,) = arguments
        self.commands.append(text)
        for name, real in (("/proc/mounts", self.mounts), ("dumpe2fs $device", f"dumpe2fs {self.device}")):
            text = text.replace(name, str(real))
        text = re.sub(r"if=/dev/\S+", f"if={self.device}", text)
        return subprocess.run(["sh", "-c", text], check=True, capture_output=True, text=True).stdout


def file_system(path: Path, *options: str) -> Path:
    """Make an ext4 with 3,000 inodes in use, of which 300 are folders."""
    root = path.parent / "root"
    for number in range(300):
        folder = root / f"{number}"
        folder.mkdir(parents=True)
        for name in range(9):
            (folder / f"{name}").touch()
    command = ["mke2fs", "-q", "-t", "ext4", "-b", str(BLOCK), "-I", "256", "-d", str(root), *options, str(path), "1G"]
    subprocess.run(command, check=True)
    return path


def test_what_dumpe2fs_says_is_read_by_dd(tmp_path: Path) -> None:
    image = file_system(tmp_path / "root.img", "-N", "131072")
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sdb / ext2 rw 0 0\n/dev/vg/root /sysroot ext4 ro,relatime 0 0\n/dev/sda2 /sysroot/boot xfs ro 0 0\n"
    )
    handle = Appliance(mounts, image)
    read_ahead.read_ahead(handle)
    asked, read = handle.commands
    assert asked == COMMAND
    words = [shlex.split(one) for one in read.removeprefix("{ ").removesuffix("; } 2>/dev/null").split("; ")]
    assert {word for one in words for word in one if word.startswith("if=")} == {"if=/dev/vg/root"}
    parts = [dict(word.split("=", 1) for word in one[1:]) for one in words]
    tables = subprocess.run(["dumpe2fs", str(image)], check=True, capture_output=True, text=True).stdout
    first = int(tables.split("Inode table at ")[1].split("-")[0]) * BLOCK
    inodes = next(part for part in parts if int(part["skip"]) == first)
    assert 3001 * 256 <= int(inodes["count"]) <= 3100 * 256
    folders = parts[-1]
    assert 300 * BLOCK <= int(folders["count"]) <= 400 * BLOCK
    last = int(tables.split("Inode table at ")[8].split("-")[1].split()[0])
    assert int(folders["skip"]) == (last + 1) * BLOCK


def test_folders_are_together_behind_all_tables_of_a_flex_group() -> None:
    text = HEADER + FLEX + group(100, 800, 8000) + group(612, 0, 8192) + group(1124, 0, 8192)
    assert ranges(text) == [Range(1636 * BLOCK, 900 * BLOCK)]


def test_without_flex_groups_only_inodes_are_together() -> None:
    text = HEADER + group(100, 800, 4096) + group(33000, 800, None)
    assert ranges(text) == [Range(100 * BLOCK, 4096 * 256), Range(33000 * BLOCK, 8192 * 256)]


def test_there_is_a_limit() -> None:
    text = HEADER + "".join(group(number * 600, 0, None) for number in range(100))
    found = ranges(text)
    assert sum(one.size for one in found) == MAX_BYTES
    assert all(one.size >= WORTH for one in found)


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEADER,
        HEADER + group(100, 10, 8190),
        HEADER + group(100, 10, 999999999),
        group(100, 800, 0),
        FLEX + group(100, 999999999, 0),
        HEADER + FLEX.replace("16", "0") + group(10**17, 0, 8192),
        HEADER + FLEX + group(100, 999999999, 8192),
        f" Block size: {'9' * 5000}\n" + group(100, 800, 0),
    ],
)
def test_what_is_small_damaged_or_a_lie_is_not_read_ahead(text: str) -> None:
    assert ranges(text) == []


def test_a_label_with_a_line_break_names_no_device(tmp_path: Path) -> None:
    image = file_system(tmp_path / "label.img", "-N", "131072", "-O", "^metadata_csum")
    with image.open("r+b") as file:
        file.seek(LAST_MOUNTED)
        file.write(b"/\nDevice: /dev/hwrng\ndirectories\nDevice: /dev/hwrng")
    said = subprocess.run(["dumpe2fs", "-h", str(image)], check=True, capture_output=True, text=True).stdout
    assert "\nDevice: /dev/hwrng\n" in said
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/sda1 /sysroot ext4 ro 0 0\n")
    handle = Appliance(mounts, image)
    read_ahead.read_ahead(handle)
    _, read = handle.commands
    assert set(re.findall(r"if=(\S+)", read)) == {"/dev/sda1"}


def test_a_device_with_an_odd_name_is_left_alone(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/vg/$(id) /sysroot ext4 ro 0 0\n/dev/a\\040b /sysroot/x ext4 ro 0 0\n")
    handle = Appliance(mounts, tmp_path / "none")
    read_ahead.read_ahead(handle)
    assert handle.commands == [COMMAND]
    assert DEVICE in COMMAND


def test_an_appliance_that_cannot_is_let_alone() -> None:
    class Failing:
        def debug(self, command: str, arguments: list[str]) -> str:
            raise RuntimeError("no such program")

    read_ahead.read_ahead(Failing())
