"""The direct engine on an image with ten times the files and bytes.

Both images are made of the same tree by mke2fs(8): the large one has nine more copies of ``/usr`` and ``/var`` in /srv.
Two things grow with an image, whoever does them: the digest of its bytes, and a look at all of its files. So it is also
measured what the digest takes alone, and what a policy takes that asks for nothing that is found by looking everywhere.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Case, measure
from benchmarks.report import Comparison
from benchmarks.say import say
from benchmarks.setup import Setup

from diskimage_validator import open_target

TIMES = 10
GOAL = 1.2
NARROW = """\
version: 1
name: no-look-at-all-files
packages: {required: [sudo], forbidden: [telnetd], states: {}}
commands: {required: [python3, sudo]}
access: {accounts: {consistent: true}, sudo: {}}
"""
"""A policy that needs no list of all files."""
DIGEST = "import hashlib, sys; hashlib.file_digest(open(sys.argv[1], 'rb', buffering=0), 'sha256')"
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
    narrow = setup.scratch / "narrow.yaml"
    narrow.write_text(NARROW)
    images = {f"{TIMES} times the files and bytes, {_size(large)}": large, f"its own tree, {_size(small)}": small}
    cases = [setup.ours("direct", str(path), name=name) for name, path in images.items()]
    cases += [
        setup.ours("direct", str(path), name=f"narrow policy, {name}", policy=str(narrow))
        for name, path in images.items()
    ]
    cases += [
        Case(f"sha256 alone, {name}", [sys.executable, "-I", "-S", "-c", DIGEST, str(path)])
        for name, path in images.items()
    ]
    full, full_small, few, few_small, digest, digest_small = measure(cases, setup.rounds, say)
    title = f"direct engine, an image of {TIMES} times the size"
    return [
        Comparison("size", title, [full, full_small], goal=GOAL),
        Comparison("size", f"{title}, a policy that needs no list of all files", [few, few_small]),
        Comparison("size", "what a digest takes of such images", [digest, digest_small]),
    ]


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
    size = f"{int(used * ROOM) // 1024 + 65536}k"
    subprocess.run([*command, size], check=True, stdout=subprocess.DEVNULL)
    convert = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", "-o", "compression_type=zstd"]
    subprocess.run([*convert, str(raw), str(target)], check=True)
    raw.unlink()
    return target


def _size(path: Path) -> str:
    return f"{path.stat().st_size // 2**20} MiB"
