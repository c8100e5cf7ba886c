"""Write the disk's random parts anew, so that the image file is the same, too: root file system and disk identity.

    repack.py STATE.json ROOT SEED EPOCH

STATE.json is the state of diskimage-builder's block device layer; ROOT is where the root file system is mounted.

A file system in use notes when and in which order things happened. So mke2fs makes a new one out of its files. That
then takes its place, mounted read-only. Twice: the order of names in a folder, and the dates of changes, which no
program can set, come from where the files are read; the first copy puts both right. Only for a disk with one file
system, an ext4.
"""

import errno
import fcntl
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

NAMESPACE = uuid.UUID("0b7d8f0e-3c0a-5c51-8f43-0d7c5a9f2b64")
BLKZEROOUT = 0x127F  # linux/fs.h
BLOCK = 1 << 20  # bytes written at a time
PATIENCE = 120  # seconds
ROOT_INODE, FIRST_INODE = 2, 11  # those between are the file system's own
MBR_DISK_ID = 440  # offset in bytes of the four bytes of the disk's identity


def run(*command: str | Path, **environment: str) -> None:
    """Run a command, with ``environment`` added to this one's. Raises CalledProcessError."""
    subprocess.run(command, check=True, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)


def mke2fs_options(opts: list[str]) -> list[str]:
    """Return the options that the file system was made with; of -E, which may be there once only, the sum."""
    extended = ["lazy_itable_init=0", "lazy_journal_init=0"]
    rest = []
    words = iter(word for word in opts if word)
    for word in words:
        if word == "-E":
            extended.append(next(words))
        else:
            rest.append(word)
    return [*rest, "-E", ",".join(extended)]


def make(source: Path, target: Path, filesystem: dict[str, Any], size: int, epoch: int) -> None:
    """Make an ext4 in the new file ``target``, ``size`` bytes, out of the folder ``source``."""
    options = mke2fs_options(filesystem["opts"] or [])
    options[-1] += f",hash_seed={filesystem['uuid']}"
    names = ["-L", filesystem["label"], "-U", filesystem["uuid"]]
    date = str(epoch)
    command = ["mke2fs", "-q", "-t", "ext4", *options, *names, "-d", source, target, f"{size // 1024}k"]
    run(*command, E2FSPROGS_FAKE_TIME=date, SOURCE_DATE_EPOCH=date)


def used_inodes(image: Path) -> list[int]:
    """Return the numbers of the inodes in use: the root folder's, and all that are neither reserved nor free."""
    listing = subprocess.run(["dumpe2fs", image], check=True, capture_output=True, text=True).stdout
    count = int(re.findall(r"(?m)^Inode count: +(\d+)$", listing)[0])
    free: set[int] = set()
    for line in re.findall(r"(?m)^ +Free inodes: (.+)$", listing):
        for item in line.split(", "):
            first, _, last = item.partition("-")
            free.update(range(int(first), int(last or first) + 1))
    return [ROOT_INODE, *(inode for inode in range(FIRST_INODE, count + 1) if inode not in free)]


def set_change_dates(image: Path, epoch: int) -> None:
    """Set the date of the last change of every inode to ``epoch``.

    The file system must not have been mounted: the kernel may remember what it was like.
    """
    script = "".join(f"set_inode_field <{inode}> ctime @{epoch}\n" for inode in used_inodes(image))
    command = ["debugfs", "-w", "-f", "-", str(image)]
    subprocess.run(command, check=True, input=script, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def repack(root: str, filesystem: dict[str, Any], scratch: Path, epoch: int) -> Path:
    """Return a new file system image with the files below ``root``, made in the folder ``scratch``."""
    seen = scratch / "seen"
    seen.mkdir()
    with Path(filesystem["device"]).open("rb") as device:
        size = device.seek(0, os.SEEK_END)
    first, second = scratch / "first", scratch / "second"
    run("mount", "--bind", root, seen)  # without what is mounted in it
    try:
        run("mount", "-o", "remount,bind,ro,noatime", seen)
        make(seen, first, filesystem, size, epoch)
    finally:
        run("umount", seen)
    set_change_dates(first, epoch)
    run("mount", "-o", "ro,loop,noatime", first, seen)
    try:
        make(seen, second, filesystem, size, epoch)
    finally:
        run("umount", seen)
    return second


def replace(root: str, device: str, image: Path) -> None:
    """Put ``image`` onto ``device`` in place of the file system mounted at ``root``, and mount it read-only."""
    run("umount", "--recursive", root)
    target = open_exclusively(device)
    try:
        size = os.lseek(target, 0, os.SEEK_END)
        fcntl.ioctl(target, BLKZEROOUT, struct.pack("QQ", 0, size))
        with image.open("rb") as source:
            for offset in range(0, size, BLOCK):
                block = source.read(BLOCK)
                if block.strip(b"\0"):
                    os.pwrite(target, block, offset)
        os.fsync(target)
    finally:
        os.close(target)
    run("mount", "-o", "ro", device, root)


def open_exclusively(device: str) -> int:
    """Open a device that no file system uses any more. Raises OSError if one still does after PATIENCE seconds.

    A process that made a mount namespace of its own during the build holds a copy of the mount for as long as it runs.
    """
    for _ in range(PATIENCE):
        try:
            return os.open(device, os.O_RDWR | os.O_EXCL)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            time.sleep(1)
    return os.open(device, os.O_RDWR | os.O_EXCL)


def name_disk(device: str, seed: str) -> None:
    """Give the disk and its partitions an identity made of ``seed``."""
    probe = ["blkid", "--probe", "--match-tag", "PTTYPE", "--output", "value", device]
    kind = subprocess.run(probe, check=True, capture_output=True, text=True).stdout.strip()
    identity = uuid.uuid5(NAMESPACE, f"{seed} disk")
    if kind == "dos":
        with Path(device).open("r+b", buffering=0) as disk:
            disk.seek(MBR_DISK_ID)
            disk.write(identity.bytes[:4])
    elif kind == "gpt":
        listing = subprocess.run(["sgdisk", "--print", device], check=True, capture_output=True, text=True).stdout
        numbers = [line.split()[0] for line in listing.splitlines() if line.split() and line.split()[0].isdigit()]
        options = [f"--partition-guid={number}:{uuid.uuid5(NAMESPACE, f'{seed} {number}')}" for number in numbers]
        run("sgdisk", f"--disk-guid={identity}", *options, device)


def main() -> None:
    """Read the command line and do it, or say why not."""
    state = json.loads(Path(sys.argv[1]).read_text())
    root, seed, epoch = sys.argv[2], sys.argv[3], int(sys.argv[4])
    filesystems = state.get("filesys", {})
    if len(filesystems) != 1 or {entry["fstype"] for entry in filesystems.values()} != {"ext4"}:
        sys.stdout.write("reproducible-image: not one ext4: the content is reproducible, the image file is not\n")
        return
    (filesystem,) = filesystems.values()
    with tempfile.TemporaryDirectory(dir=Path(root).parent) as scratch:
        replace(root, filesystem["device"], repack(root, filesystem, Path(scratch), epoch))
    name_disk(next(disk["device"] for disk in state["blockdev"].values() if "image" in disk), seed)


if __name__ == "__main__":
    try:
        main()
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"ERROR: reproducible-image: the file system cannot be made anew: {error}")
