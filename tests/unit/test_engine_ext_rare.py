"""What is rare on a node, and has to be right all the same."""

import stat
from pathlib import Path

import pytest

from diskimage_validator.engines.base import Stat
from diskimage_validator.errors import EntryNotFoundError
from tests.support import ext_images
from tests.support.ext_images import MIB


@pytest.mark.parametrize("time", [-(2**31), -1, 0, 2**31 - 1, 2**31, 2**32 + 5, 2**33, 3 * 2**32 + 2**31 - 1])
def test_times_from_1901_to_2446(time: int, tmp_path: Path) -> None:
    """i_mtime has the lower 32 bits with a sign, i_mtime_extra two more below 30 of nanoseconds."""
    path = ext_images.make(tmp_path / "image", "-t", "ext4")
    low = time & 0xFFFFFFFF
    epoch = time - (low - (1 << 32) if low >> 31 else low) >> 32
    nanoseconds = 999_999_999
    ext_images.change(path, f"sif /lost+found mtime @{low}", f"sif /lost+found mtime_extra {nanoseconds << 2 | epoch}")
    found = ext_images.opened_file(path).lstat("/lost+found")
    assert found is not None
    assert found.mtime == time


def test_owners_modes_and_devices(tmp_path: Path) -> None:
    path = ext_images.make(tmp_path / "image", "-t", "ext4")
    ext_images.change(
        path,
        "mknod char c 1 3",
        "mknod block b 8 1",
        "mknod pipe p",
        "sif /char uid 4294967294",
        "sif /char gid 65536",
        "sif /block mode 060660",
    )
    found = dict(ext_images.opened_file(path).scan("/"))
    assert (found["char"].uid, found["char"].gid) == (4294967294, 65536)
    assert stat.S_ISCHR(found["char"].mode)
    assert found["block"] == Stat(stat.S_IFBLK | 0o660, 0, 0, 0, found["block"].mtime)
    assert stat.S_ISFIFO(found["pipe"].mode)


def test_what_is_allocated_and_not_written_is_zero(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").write_bytes(b"a" * 4096)
    path = ext_images.make(tmp_path / "image", "-t", "ext4", "-b", "4096", tree=tmp_path / "tree")
    used = path.stat().st_blocks
    with path.open("r+b") as file:  # so that what is allocated is not zero by itself
        content = file.read()
        start = len(content) // 2
        file.seek(start)
        file.write(b"rubbish!" * (len(content) // 16))
    assert path.stat().st_blocks > used
    ext_images.change(path, "fallocate /file 1 2000", "sif /file size 8192000")
    system = ext_images.opened_file(path)
    assert system.read_file("/file", 0, 8192000) == b"a" * 4096 + bytes(8192000 - 4096)


@pytest.mark.parametrize("options", [("-t", "ext4"), ("-t", "ext3")], ids=["extents", "block map"])
def test_a_sparse_file_costs_what_is_asked_for(options: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    with (tmp_path / "tree" / "file").open("wb") as file:
        for start in (0, 5 * 2**30 - 2, 7 * 2**30):
            file.seek(start)
            file.write(b"here")
    path = ext_images.make(tmp_path / "image", *options, "-b", "4096", tree=tmp_path / "tree")
    system = ext_images.opened_file(path)
    entry = system.lstat("/file")
    assert entry is not None
    assert entry.size == 7 * 2**30 + 4
    for start in (0, 5 * 2**30 - 2, 7 * 2**30):
        assert system.read_file("/file", start, 4) == b"here"
    assert system.read_file("/file", 5 * 2**30 - 4096, 8192) == bytes(4094) + b"here" + bytes(4094)
    assert system.read_file("/file", 7 * 2**30 - 1, 100) == b"\0here"
    assert system.read_file("/file", 7 * 2**30 + 4, 100) == b""
    if "ext4" in options:
        ext_images.change(path, f"sif /file size {10 << 40}")
        assert ext_images.opened_file(path).read_file("/file", 9 << 40, MIB) == bytes(MIB)


def test_a_deep_extent_tree(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    with (tree / "file").open("wb") as file:
        for number in range(4000):
            file.seek(number * 8192)
            file.write(number.to_bytes(2, "big") * 2048)
    path = ext_images.make(
        tmp_path / "image", "-t", "ext4", "-b", "1024", "-O", "^has_journal", tree=tree, size=64 * MIB
    )
    levels = ext_images.run("debugfs", "-R", "dump_extents /file", str(path))
    assert "2/ 2" in levels, "the test needs a deeper tree"
    system = ext_images.opened_file(path)
    assert system.read_file("/file", 0, 64 * MIB) == (tree / "file").read_bytes()
    assert system.read_file("/file", 3999 * 8192 - 5, 10) == bytes(5) + (3999).to_bytes(2, "big") * 2 + b"\x0f"


def test_a_directory_with_an_index_of_two_levels(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(1500):
        (tree / f"{number:06}-{'n' * 150}").touch()
    path = ext_images.make(tmp_path / "image", "-t", "ext4", "-b", "1024", tree=tree)
    ext_images.index(path)
    assert "Indirect levels: 1" in ext_images.run("debugfs", "-R", "htree_dump /", str(path)), "more names are needed"
    system = ext_images.opened_file(path)
    assert set(system.listdir("/")) == {*(path.name for path in tree.iterdir()), "lost+found"}
    assert len(system.scan("/")) == 1501
    assert system.lstat(f"/001499-{'n' * 150}") is not None
    assert system.lstat(f"/001499-{'n' * 149}") is None


def test_a_name_that_was_deleted_is_gone(tmp_path: Path) -> None:
    path = ext_images.make(tmp_path / "image", "-t", "ext2")
    ext_images.change(path, "mkdir /kept", "mkdir /gone", "rmdir /gone", "symlink /kept/gone gone", "rm /kept/gone")
    assert b"gone" in path.read_bytes(), "the name itself is still there"
    system = ext_images.opened_file(path)
    assert system.lstat("/gone") is system.lstat("/kept/gone") is None
    assert set(system.listdir("/")) == {"kept", "lost+found"}
    assert system.listdir("/kept") == []


def test_a_hard_link_is_an_entry_like_any_other(tmp_path: Path) -> None:
    path = ext_images.make(tmp_path / "image", "-t", "ext4")
    ext_images.change(path, "mknod one p", "mkdir /folder", "ln /one /folder/two", "sif /one links_count 2")
    system = ext_images.opened_file(path)
    assert system.lstat("/one") == system.lstat("/folder/two") == dict(system.scan("/folder"))["two"]


def test_what_is_not_there(tmp_path: Path) -> None:
    system = ext_images.opened_file(ext_images.make(tmp_path / "image", "-t", "ext4"))
    for path in ("/no", "/no/no", "/lost+found/no", "/" + "n" * 300):
        assert system.lstat(path) is None
        for read in (system.readlink, system.listdir, system.scan, lambda path: system.read_file(path, 0, 1)):
            with pytest.raises(EntryNotFoundError):
                read(path)
    root = system.lstat("/")
    assert root is not None
    assert root.is_dir
