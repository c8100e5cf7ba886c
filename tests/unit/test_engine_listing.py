"""The listing of all entries: what find writes here is held against the directory engine's look at the same tree."""

import os
import subprocess
from pathlib import Path

import pytest

from diskimage_validator.engines.directory import DirectoryEngine
from diskimage_validator.engines.listing import COMMAND, FILE, SYSROOT, Listing, parse_listing

ROOT = b"d 0 d 755 0 0 4096 7.0000000000 sysroot\0\0"
FOLDER = b"d 1 d 755 0 0 4096 7.0000000000 etc\0\0"


def listed(folder: Path) -> Listing | None:
    """Run the command of the appliance on ``folder``."""
    file = folder.parent / "listing"
    command = COMMAND.replace(FILE, str(file)).replace(SYSROOT, str(folder))
    subprocess.run(["sh", "-c", command], check=True, stderr=subprocess.DEVNULL)
    content = subprocess.run(["gzip", "-dc", str(file)], check=True, capture_output=True).stdout
    return parse_listing(content)


def test_it_holds_what_a_look_at_every_folder_finds(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc/empty").mkdir(parents=True)
    (root / "etc/two words\nand a line").write_bytes(b"content")
    (root / "etc/link").symlink_to("../usr/no -> where")
    (root / "etc/setuid").touch(mode=0o755)
    (root / "etc/setuid").chmod(0o4711)
    (root / "srv").mkdir(mode=0o1777)
    os.mkfifo(root / "srv/fifo")
    (root / "srv" / os.fsdecode(b"caf\xe9")).mkdir()
    (root / "srv" / os.fsdecode(b"caf\xe9") / os.fsdecode(b"\xff")).symlink_to(os.fsdecode(b"\xfe"))
    os.utime(root / "etc/setuid", ns=(-1_500_000_000, -1_500_000_000))
    os.utime(root / "srv/fifo", ns=(1_999_999_999, 1_999_999_999))
    found = listed(root)
    assert found is not None
    with DirectoryEngine(root) as engine:
        expected = dict(engine.walk("/"))
        links = {path: engine.readlink(path) for path, entry in expected.items() if entry.is_link}
        top = engine.lstat("/")
    assert found.stats.pop("/") == top
    assert {path: entry._replace(mtime=0) for path, entry in found.stats.items()} == {
        path: entry._replace(mtime=0) for path, entry in expected.items()
    }
    assert found.links == links
    assert (found.stats["/etc/setuid"].mtime, found.stats["/srv/fifo"].mtime) == (-2, 1)
    assert [name for name, _ in found.folders["/etc/empty"]] == []
    assert sorted(name for name, _ in found.folders["/"]) == ["etc", "srv"]


def test_a_folder_that_cannot_be_read_leaves_no_listing(tmp_path: Path) -> None:
    assert listed(tmp_path / "missing") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"end",
        ROOT,  # find had something to complain about, or the end is cut off
        ROOT + FOLDER + b"d 1 d 755 0 0 40",
        ROOT + FOLDER + FOLDER + b"end",
        FOLDER + b"end",
        ROOT + ROOT + b"end",
        ROOT + b"d 3 d 755 0 0 4096 7.0 deep\0\0end",
        ROOT + b"- 1 d 755 0 0 4096 7.0 secret\0\0end",  # the folder says file, the inode says folder
        ROOT + b"d 1 f 755 0 0 4096 7.0 file\0\0end",
        ROOT + b"- 1 U 755 0 0 4096 7.0 what\0\0end",
        ROOT + b"- 1 f 999 0 0 4096 7.0 mode\0\0end",
        ROOT + b"- 1 f 755 0 0 x 7.0 size\0\0end",
        ROOT + b"- 1 f 755 0 0 1 7.0 " + b"x" * 5000 + b"\0\0end",
        ROOT + b"short\0\0end",
    ],
)
def test_what_is_not_certain_is_no_listing(content: bytes) -> None:
    assert parse_listing(content) is None


def test_the_smallest_listing() -> None:
    found = parse_listing(ROOT + b"end")
    assert found is not None
    assert list(found.stats) == list(found.folders) == ["/"]
