"""Ext file systems made by e2fsprogs, without root: mke2fs(8) fills them from a folder, debugfs(8) changes them."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from diskimage_validator.engines.direct.ext import ExtFilesystem

MIB = 1024 * 1024
ENVIRONMENT = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "LC_ALL": "C"}


def make(path: Path, *options: str, tree: Path | None = None, size: int = 16 * MIB) -> Path:
    """Make a sparse file of ``size`` bytes with a file system in it that holds ``tree``."""
    with path.open("wb") as file:
        file.truncate(size)
    filled = ("-d", str(tree)) if tree else ()
    run("mke2fs", "-q", "-F", *options, *filled, str(path))
    return path


def change(path: Path, *commands: str) -> Path:
    """Let debugfs carry out ``commands`` on a file system, which it does not tell when one fails."""
    run("debugfs", "-w", "-f", "-", str(path), given="\n".join(commands))
    return path


def index(path: Path) -> Path:
    """Let e2fsck give large directories an index, as the kernel would have."""
    run("e2fsck", "-fyD", str(path), accepted=(0, 1))
    return path


def run(*command: str, given: str = "", accepted: Sequence[int] = (0,)) -> str:
    """Return what a command prints."""
    done = subprocess.run(
        command, input=given, text=True, errors="surrogateescape", capture_output=True, env=ENVIRONMENT, check=False
    )
    assert done.returncode in accepted, done.stderr
    return done.stdout


def opened(content: bytes) -> ExtFilesystem:
    """Open the file system that ``content`` is."""

    def read(offset: int, length: int) -> bytes:
        part = content[offset : offset + length]
        assert len(part) == length, "nothing but what is there may be asked for"
        return part

    return ExtFilesystem(read, len(content))


def opened_file(path: Path) -> ExtFilesystem:
    """Open the file system in a file, which is read as it is asked for."""

    def read(offset: int, length: int) -> bytes:
        with path.open("rb") as file:
            part = os.pread(file.fileno(), length, offset)
        assert len(part) == length, "nothing but what is there may be asked for"
        return part

    return ExtFilesystem(read, path.stat().st_size)


def superblock(path: Path) -> dict[str, str]:
    """Return what tune2fs(8) tells of a file system."""
    lines = (line.partition(":") for line in run("tune2fs", "-l", str(path)).splitlines())
    return {name: value.strip() for name, _, value in lines}
