"""The reader of ext2/3/4 and the kernel see the same: every field of every entry, every byte, and statvfs."""

import errno
import os
import random
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from diskimage_validator.engines.base import Stat
from tests.support import ext_images
from tests.support.ext_images import MIB

EXT4 = ("-t", "ext4")
KINDS = {
    "ext2, 1k": ("-t", "ext2", "-b", "1024", "-I", "128"),
    "ext3, 4k": ("-t", "ext3", "-b", "4096"),
    "ext4, 1k": (*EXT4, "-b", "1024"),
    "ext4, 4k": (*EXT4, "-b", "4096", "-m", "20"),
    "bigalloc": (*EXT4, "-b", "4096", "-O", "bigalloc", "-C", "65536"),
    "bigalloc, meta groups, 1k": (*EXT4, "-b", "1024", "-O", "bigalloc,meta_bg,^resize_inode", "-C", "4096"),
    "meta groups, 1k": (*EXT4, "-b", "1024", "-O", "meta_bg,^resize_inode"),
    "two copies": (*EXT4, "-b", "2048", "-O", "sparse_super2,metadata_csum_seed,orphan_file"),
    "older": (*EXT4, "-b", "4096", "-O", "^metadata_csum,uninit_bg,^flex_bg,^sparse_super,^resize_inode"),
    "no extents": (*EXT4, "-b", "1024", "-O", "^extent,^64bit,^has_journal,large_dir"),
}
SECOND = 10**9
TIMES = (-(2**31) * SECOND, -SECOND - 1, -1, 0, 2**31 * SECOND - 1, 2**31 * SECOND, 2**33 * SECOND + 999_999_999)
"""Times of last modification in nanoseconds, the first one in 1901."""


@contextmanager
def mounted(path: Path, folder: Path, options: str) -> Iterator[Path]:
    """Mount a file system in a file on ``folder``."""
    assert os.geteuid() == 0, "these tests mount: run them as root"
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", f"loop,{options}", str(path), str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(root: Path) -> None:
    """Put there what a file system can hold; what this kind cannot is left out."""
    numbers = random.Random(5)
    for name in (b"x" * 255, b"\xff\xfe", b"new\nline", b"..a", "\N{CYRILLIC SMALL LETTER ZHE}".encode() * 127):
        Path(os.fsdecode(bytes(root) + b"/" + name)).write_bytes(name)
    many = root / "many"
    many.mkdir()
    for number in range(2000):
        (many / f"{number:06}-{'n' * 60}").touch()
    for number in range(0, 2000, 3):
        (many / f"{number:06}-{'n' * 60}").unlink()
    for length in (1, 59, 60, 1023, 1024, 4095):
        with suppress(OSError):
            (root / f"link-{length}").symlink_to(("no-such/" * 600)[:length])
    for number, owner in enumerate((0, 65535, 65536, 2**31, 2**32 - 2)):
        (root / f"owner-{number}").touch()
        os.chown(root / f"owner-{number}", owner, owner ^ 1)
        (root / f"owner-{number}").chmod((0, 0o7777, 0o4755, 0o2750, 0o111)[number])
    for number, time in enumerate(TIMES):
        (root / f"time-{number}").touch()
        os.utime(root / f"time-{number}", ns=(time, time))
    os.mknod(root / "device", stat.S_IFBLK | 0o660, os.makedev(259, 70000))
    os.mknod(root / "socket", stat.S_IFSOCK | 0o755)
    (root / "whole").write_bytes(numbers.randbytes(3 * MIB))
    holes(root / "holes", numbers, range(0, 1500 * 8192, 8192))
    holes(root / "far", numbers, (0, 2**32 - 100, 5 * 2**30))
    with (root / "unwritten").open("wb") as file, suppress(OSError):
        os.posix_fallocate(file.fileno(), 0, 2 * MIB)
        os.pwrite(file.fileno(), b"written", MIB)


def holes(path: Path, numbers: random.Random, places: range | tuple[int, ...]) -> None:
    """Write something at ``places``, as far as this kind of file system goes."""
    with path.open("wb", buffering=0) as file:
        for place in places:
            try:
                os.pwrite(file.fileno(), numbers.randbytes(1000), place)
            except OSError as error:
                if error.errno != errno.EFBIG:
                    raise
                break


@pytest.mark.parametrize("options", KINDS.values(), ids=list(KINDS))
def test_what_the_kernel_wrote_is_read_as_the_kernel_reads_it(options: tuple[str, ...], tmp_path: Path) -> None:
    image = ext_images.make(tmp_path / "image", *options, size=600 * MIB)
    with mounted(image, tmp_path / "mnt", "rw") as root:
        fill(root)
    with mounted(image, tmp_path / "mnt", "ro") as root:
        system = ext_images.opened_file(image)
        space = os.statvfs(root)
        assert (system.info.size, system.info.free) == (
            space.f_blocks * space.f_frsize,
            space.f_bavail * space.f_frsize,
        )
        assert (system.info.inodes, system.info.free_inodes) == (space.f_files, space.f_favail)
        pending = ["/"]
        while pending:
            folder = pending.pop()
            found = dict(system.scan(folder))
            assert set(found) == {path.name for path in Path(f"{root}{folder}").iterdir()}
            for name, entry in found.items():
                inside = f"{folder.rstrip('/')}/{name}"
                assert system.lstat(inside) == entry == kernel(f"{root}{inside}"), inside
                if entry.is_dir:
                    pending.append(inside)
                elif entry.is_link:
                    assert system.readlink(inside) == os.readlink(f"{root}{inside}")  # noqa: PTH115 - untouched
                elif entry.is_file:
                    for start in {0, 2**32 - 200, max(entry.size - MIB, 0)}:
                        with Path(f"{root}{inside}").open("rb") as file:
                            file.seek(start)
                            assert system.read_file(inside, start, 16 * MIB) == file.read(16 * MIB), (inside, start)


def kernel(path: str) -> Stat:
    """Return what the kernel says."""
    found = os.lstat(path)
    return Stat(found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_mtime_ns // 10**9)
