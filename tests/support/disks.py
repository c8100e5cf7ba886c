"""Disks in files, made in milliseconds: partition tables by sfdisk, file systems by their own tools."""

import json
import os
import struct
import subprocess
import uuid
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diskimage_validator.engines.direct.blocks import Read

MIB = 1024 * 1024
ENVIRONMENT = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "LC_ALL": "C"}
LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
"""GPT's type of a partition of Linux."""


def run(*command: str | Path, text: str | None = None) -> str:
    """Run a tool and return what it printed."""
    words = [str(word) for word in command]
    done = subprocess.run(words, input=text, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def empty(path: Path, size: int) -> Path:
    """Make a sparse file of ``size`` bytes."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


def partitioned(path: Path, script: str, size: int = 64 * MIB) -> Path:
    """Make a raw disk with the partition table that ``script``, for sfdisk(8), describes."""
    run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", empty(path, size), text=script)
    return path


def sfdisk_json(disk: Path) -> dict[str, Any]:
    """Return what sfdisk says about the table of a disk."""
    table: dict[str, Any] = json.loads(run("sfdisk", "--json", disk))["partitiontable"]
    return table


def ext(path: Path, tree: Path, size: int, *options: str, kind: str = "ext4", offset: int = 0) -> None:
    """Make an ext file system of ``size`` bytes, with what is in the folder ``tree``, in the disk at ``path``."""
    extended = f"offset={offset},root_owner=0:0,lazy_itable_init=1"
    run("mke2fs", "-q", "-F", "-t", kind, "-d", tree, "-E", extended, *options, path, f"{size // 1024}k")


def put(disk: Path, offset: int, data: bytes) -> None:
    """Overwrite bytes of a disk."""
    with disk.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def entry_of(kind: int, start: int, size: int, indicator: int = 0) -> bytes:
    """Return an entry of an MBR, in sectors."""
    return struct.pack("<B3xB3xII", indicator, kind, start, size)


def big_sectors(disk: Path, size: int, kind: str = LINUX) -> Path:
    """Write a GPT for sectors of 4096 bytes, with a partition of ``size`` bytes at 1 MiB: not every sfdisk can."""
    last = disk.stat().st_size // 4096 - 1
    place = struct.pack("<QQQ", 256, 255 + size // 4096, 0)
    entry = uuid.UUID(kind).bytes_le + bytes(range(16)) + place + "root".encode("utf-16-le")
    table = entry.ljust(128 * 128, b"\0")
    for here, other, first in ((1, last, 2), (last, 1, last - 4)):
        numbers = (here, other, 6, last - 5, bytes(16), first, 128, 128, zlib.crc32(table))
        header = struct.pack("<8s4sIIIQQQQ16sQIII", b"EFI PART", b"\0\0\1\0", 92, 0, 0, *numbers)
        put(disk, here * 4096, header[:16] + struct.pack("<I", zlib.crc32(header)) + header[20:])
        put(disk, first * 4096, table)
    put(disk, 446, entry_of(0xEE, 1, last) + bytes(48) + b"\x55\xaa")
    return disk


def fat(path: Path, size: int, files: Mapping[str, bytes], *options: str) -> Path:
    """Make a FAT file system in a file of its own. ``files`` are by their paths, with all folders in between."""
    run("mkfs.vfat", *options, empty(path, size))
    made: set[str] = set()
    for name, content in files.items():
        for parent in [str(parent) for parent in reversed(Path(name).parents)][1:]:
            if parent not in made:
                run("mmd", "-i", path, f"::{parent}")
                made.add(parent)
        source = path.with_suffix(".content")
        source.write_bytes(content)
        os.utime(source, (1_700_000_000, 1_700_000_000))
        run("mcopy", "-m", "-i", path, source, f"::{name}")
        source.unlink()
    return path


def place(disk: Path, offset: int, part: Path) -> None:
    """Copy a file system that was made in a file into a disk."""
    put(disk, offset, part.read_bytes())


def tree(folder: Path, files: Mapping[str, str | bytes], links: Sequence[tuple[str, str]] = ()) -> Path:
    """Make a folder with ``files`` by path, and ``links`` as (path, target)."""
    for name, content in files.items():
        path = folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    for name, target in links:
        path = folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    return folder


def qcow2(raw: Path, target: Path, *options: str) -> Path:
    """Convert a raw disk."""
    run("qemu-img", "convert", "-O", "qcow2", *options, raw, target)
    return target


def reader(path: Path, offset: int = 0) -> Read:
    """Return a Read of a file, for what reads disks."""
    data = path.read_bytes()[offset:]

    def read(start: int, length: int) -> bytes:
        assert start >= 0
        assert length >= 0
        assert start + length <= len(data), f"{length} bytes at {start} of {len(data)}"
        return data[start : start + length]

    return read
