"""The direct engine on an image with ten times the files and bytes.

Both images are made of the same tree by mke2fs(8): the large one has nine more copies of ``/usr`` and ``/var`` in /srv.
The digest of ten times the bytes takes ten times as long, whoever computes it; the CPU time of that is in the figures.
"""

import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.measure import measure
from benchmarks.report import Comparison
from benchmarks.say import say
from benchmarks.setup import Setup

from diskimage_validator import open_target

TIMES = 10
GOAL = 1.2
ROOM = 1.3
"""Bytes of a file system for every byte of content."""


def run(setup: Setup) -> list[Comparison]:
    """Make both images, and measure."""
    tree = setup.scratch / "tree"
    _unpack(setup.image, tree)
    small = _image(setup.scratch / "x1.qcow2", tree)
    for number in range(1, TIMES):
        for folder in ("usr", "var"):
            shutil.copytree(tree / folder, tree / "srv" / f"copy{number}" / folder, symlinks=True)
    large = _image(setup.scratch / f"x{TIMES}.qcow2", tree)
    shutil.rmtree(tree)
    cases = [
        setup.ours("direct", str(large), name=f"{TIMES} times the files and bytes, {_size(large)}"),
        setup.ours("direct", str(small), name=f"the image's own tree, {_size(small)}"),
    ]
    measured = measure(cases, setup.rounds, say)
    return [Comparison("size", f"direct engine, an image of {TIMES} times the size", measured, goal=GOAL)]


def _unpack(image: Path, target: Path) -> None:
    """Write folders, regular files and links of the image below ``target``, as this user's own."""
    say("unpacking the image")
    target.mkdir()
    with open_target(str(image), engine="direct") as engine:
        for path, entry in engine.walk("/"):
            place = target / path.lstrip("/")
            if entry.is_dir:
                place.mkdir()
            elif entry.is_link:
                place.symlink_to(engine.readlink(path))
            elif entry.is_file:
                place.write_bytes(engine.read(path, limit=entry.size))
                place.chmod(entry.mode & 0o7777 | 0o400)


def _image(target: Path, tree: Path) -> Path:
    say(f"making {target.name}")
    used = sum(os.lstat(path).st_size + 4096 for path in tree.rglob("*") if not path.is_symlink())
    raw = target.with_suffix(".raw")
    command = ["mke2fs", "-q", "-t", "ext4", "-d", str(tree), "-E", "root_owner=0:0,lazy_itable_init=1", str(raw)]
    subprocess.run([*command, f"{int(used * ROOM) // 1024 + 65536}k"], check=True)
    convert = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", "-o", "compression_type=zstd"]
    subprocess.run([*convert, str(raw), str(target)], check=True)
    raw.unlink()
    return target


def _size(path: Path) -> str:
    return f"{path.stat().st_size // 2**20} MiB"
