"""Raw copies of an image that differ in what its builder would never do. They are mounted by the kernel: root only."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support import disks
from tests.support.disks import MIB

STUB: Final = Path("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")
REMOVABLE: Final = "EFI/BOOT/BOOTX64.EFI"
"""What UEFI starts on a disk that it knows nothing else of: UEFI specification, chapter 3.5.1.1."""
ESP_SIZE: Final = 96 * MIB
ESP_TYPE: Final = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
PLACES: Final = {".cmdline": 0x30000, ".linux": 0x2000000, ".initrd": 0x3000000}
"""Addresses of the sections of a unified kernel image: systemd-stub(7) tells what is in them, objcopy(1) puts it there.
A kernel takes less than the 16 MiB between its own and the next."""


def make_copy(image: Path, copy: Path, change: Callable[[Path], None]) -> Path:
    """Make the raw disk ``copy`` of a qcow2. ``change`` is given its mounted root to work on."""
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(image), str(copy)], check=True)
    start, size = _find_root(copy)
    with _mounted(copy, start, size) as root:
        change(root)
    return copy


def make_uefi_copy(image: Path, copy: Path, change: Callable[[Path], None]) -> Path:
    """The same, which only UEFI starts: an EFI system partition with a unified kernel image, and no boot code."""
    whole = copy.with_suffix(".whole")
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(image), str(whole)], check=True)
    skip, size = _find_root(whole)
    start = MIB + ESP_SIZE
    script = f"label: gpt\nsize={ESP_SIZE // MIB}MiB, type={ESP_TYPE}\ntype={disks.LINUX}\n"
    disks.partitioned(copy, script, start + size + MIB)
    blocks = ["bs=1M", "conv=sparse,notrunc", "iflag=skip_bytes,count_bytes", "oflag=seek_bytes"]
    places = [f"skip={skip}", f"count={size}", f"seek={start}"]
    subprocess.run(["dd", "status=none", f"if={whole}", f"of={copy}", *blocks, *places], check=True)
    whole.unlink()
    with _mounted(copy, start, size) as root:
        change(root)
        kernel = _unified(root / "boot", copy.with_suffix(".efi"))
    esp = disks.fat(copy.with_suffix(".esp"), ESP_SIZE, {REMOVABLE: kernel}, "-n", "ESP")
    disks.place(copy, MIB, esp)
    esp.unlink()
    return copy


def make_systemd_older(root: Path) -> None:
    """Have dpkg say that systemd is older than it is: too old to read credentials."""
    status = root / "var/lib/dpkg/status"
    before, package, after = status.read_text().partition("Package: systemd\n")
    version = after.partition("\nVersion: ")[2].partition("\n")[0]
    status.write_text(before + package + after.replace(version, "251.4-1", 1))


def _find_root(disk: Path) -> tuple[int, int]:
    """Return start and size of the last partition, in bytes."""
    root = disks.sfdisk_json(disk)["partitions"][-1]
    return root["start"] * 512, root["size"] * 512


@contextmanager
def _mounted(disk: Path, start: int, size: int) -> Iterator[Path]:
    folder = disk.with_suffix(".root")
    folder.mkdir()
    subprocess.run(["mount", "-o", f"loop,offset={start},sizelimit={size}", str(disk), str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def _unified(boot: Path, program: Path) -> bytes:
    (kernel,) = boot.glob("vmlinuz-*")
    (initrd,) = boot.glob("initrd.img-*")
    words = program.with_suffix(".cmdline")
    words.write_text("root=LABEL=cloudimg-rootfs console=ttyS0,115200")
    command = ["objcopy"]
    for section, file in ((".cmdline", words), (".linux", kernel), (".initrd", initrd)):
        command += ["--add-section", f"{section}={file}", "--change-section-vma", f"{section}={PLACES[section]:#x}"]
    subprocess.run([*command, str(STUB), str(program)], check=True)
    content = program.read_bytes()
    program.unlink()
    words.unlink()
    return content
