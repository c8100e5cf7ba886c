"""A small system on disks of every layout that the direct engine reads. Each maker is given a folder and a path.

The folder holds the system, with what is in its ESP below ``/boot/efi``; a maker may take parts of it away.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.support import disks
from tests.support.disks import MIB
from tests.support.memory_engine import Entry, File, Link

ROOT_UUID = "0b4e1a3c-7d4e-4a57-9d5e-111111111111"
FSTAB = f"""\
UUID={ROOT_UUID} / ext4 defaults 0 1
LABEL=boot /boot ext4 defaults 0 2
LABEL=ESP /boot/efi vfat umask=0077 0 1
"""
BIOS_BOOT = "21686148-6449-6E6F-744E-656564454649"
SECOND = 33 * MIB
Make = Callable[[Path, Path], Path]


def unpack(tree: dict[str, Entry], folder: Path) -> Path:
    """Write the tree of a test into a folder."""
    for path, entry in tree.items():
        target = folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry, Link):
            target.symlink_to(entry.text)
        else:
            assert isinstance(entry, File | bytes | str)
            file = entry if isinstance(entry, File) else File(entry.encode() if isinstance(entry, str) else entry)
            target.write_bytes(file.content)
            target.chmod(file.mode)
    return folder


def ext4(disk: Path, offset: int, size: int, folder: Path, *options: str) -> None:
    disks.ext(disk, folder, size, *options, offset=offset)


def split(root: Path, folder: str) -> Path:
    """Move what is below ``folder`` out of ``root`` into a folder of its own, and return that."""
    apart = root.parent / folder.replace("/", "-")
    shutil.move(root / folder, apart)
    (root / folder).mkdir()
    return apart


def whole_disk(root: Path, disk: Path) -> Path:
    ext4(disks.empty(disk, 32 * MIB), 0, 32 * MIB, root, "-U", ROOT_UUID)
    return disk


def mbr(root: Path, disk: Path) -> Path:
    disks.partitioned(disk, "label: dos\n,,83\n", 33 * MIB)
    ext4(disk, MIB, 32 * MIB, root, "-U", ROOT_UUID)
    return disk


def logical(root: Path, disk: Path) -> Path:
    boot = split(root, "boot")
    script = f"label: dos\nsize=32MiB, type=83\ntype=5\nstart={SECOND // 512 + 2048}, size=8MiB, type=83\ntype=82\n"
    disks.partitioned(disk, script, 64 * MIB)
    ext4(disk, MIB, 32 * MIB, root, "-U", ROOT_UUID)
    ext4(disk, SECOND + MIB, 8 * MIB, boot, "-L", "boot")
    swap = disks.empty(disk.with_suffix(".swap"), 8 * MIB)
    disks.run("mkswap", swap)
    start = [one["start"] for one in disks.sfdisk_json(disk)["partitions"]][-1]
    disks.place(disk, start * 512, swap)
    return disk


def gpt(root: Path, disk: Path) -> Path:
    """BIOS boot partition, ESP, /boot, root; the root is not the last in the table and not the first on the disk."""
    esp, boot = split(root, "boot/efi"), split(root, "boot")
    script = (
        "label: gpt\nsize=1MiB, type=21686148-6449-6E6F-744E-656564454649\nsize=8MiB, type=U\nsize=32MiB\nsize=8MiB\n"
    )
    disks.partitioned(disk, script, 64 * MIB)
    disks.put(disk, MIB, b"\xeb\x63\x90GRUB core.img")
    content = {str(path.relative_to(esp)): path.read_bytes() for path in esp.rglob("*") if path.is_file()}
    disks.place(disk, 2 * MIB, disks.fat(disk.with_suffix(".esp"), 8 * MIB, content, "-n", "ESP"))
    ext4(disk, 10 * MIB, 32 * MIB, root, "-U", ROOT_UUID)
    ext4(disk, 42 * MIB, 8 * MIB, boot, "-L", "boot")
    return disk


LAYOUTS: dict[str, Make] = {"whole disk": whole_disk, "MBR": mbr, "logical": logical, "GPT": gpt}


def damaged(root: Path, disk: Path) -> Path:
    """Make a disk on which everything is found, and /etc/ssl/certs is damaged."""
    mbr(root, disk)
    block = int(disks.run("debugfs", "-R", "blocks /etc/ssl/certs", f"{disk}?offset={MIB}").split()[0])
    disks.put(disk, MIB + block * 1024, b"\xff" * 64)
    return disk
