"""What e2fsprogs put into a file system is what is read from it, however it was put."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from diskimage_validator.engines.base import Stat
from diskimage_validator.engines.direct.ext import ExtFilesystem
from diskimage_validator.engines.superblock import parse_tune2fs
from tests.support import ext_images
from tests.support.ext_images import MIB

VARIANTS = {
    "ext2": ("-t", "ext2"),
    "ext2, 1k": ("-t", "ext2", "-b", "1024"),
    "ext2, 2k": ("-t", "ext2", "-b", "2048"),
    "ext2, small inodes": ("-t", "ext2", "-b", "1024", "-I", "128"),
    "ext3": ("-t", "ext3", "-b", "4096"),
    "ext3, 1k": ("-t", "ext3", "-b", "1024"),
    "ext4": ("-t", "ext4", "-b", "4096"),
    "ext4, 1k": ("-t", "ext4", "-b", "1024"),
    "ext4, 2k, large inodes": ("-t", "ext4", "-b", "2048", "-I", "1024"),
    "ext4, small inodes": ("-t", "ext4", "-I", "128"),
    "bigalloc": ("-t", "ext4", "-b", "4096", "-O", "bigalloc", "-C", "16384"),
    "bigalloc, 1k": ("-t", "ext4", "-b", "1024", "-O", "bigalloc"),
    "32 bits": ("-t", "ext4", "-O", "^64bit"),
    "no checksums": ("-t", "ext4", "-O", "^metadata_csum"),
    "checksums of groups": ("-t", "ext4", "-O", "^metadata_csum,uninit_bg"),
    "checksums of narrow groups": ("-t", "ext4", "-O", "^metadata_csum,^64bit,uninit_bg"),
    "seed": ("-t", "ext4", "-O", "metadata_csum_seed"),
    "no extents": ("-t", "ext4", "-O", "^extent,^64bit", "-b", "1024"),
    "no journal": ("-t", "ext4", "-O", "^has_journal"),
    "meta groups": ("-t", "ext4", "-O", "meta_bg,^resize_inode", "-b", "1024", "-g", "256"),
    "two copies": ("-t", "ext4", "-O", "sparse_super2", "-b", "1024", "-g", "1024"),
    "copies in every group": ("-t", "ext4", "-O", "^sparse_super,^resize_inode", "-b", "1024", "-g", "1024"),
    "not flexible": ("-t", "ext4", "-O", "^flex_bg", "-b", "1024", "-g", "1024"),
    "no index, no kinds, no large files": ("-t", "ext4", "-O", "^dir_index,^filetype,^huge_file,^large_file"),
    "large directories": ("-t", "ext4", "-O", "large_dir", "-b", "1024"),
    "all else": ("-t", "ext4", "-O", "quota,project,verity,fast_commit,orphan_file,stable_inodes"),
}
LINKS = (1, 59, 60, 61, 500, 1023)
"""Lengths of a link's text: 59 is the last within an inode, 1023 the last within a block of 1024 bytes."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with what is not usual."""
    root = tmp_path_factory.mktemp("tree")
    for name in (
        b"x" * 255,
        b"\xff\xfe",
        b"new\nline",
        b" ",
        b"\\",
        b"..a",
        "\N{LATIN SMALL LETTER A WITH DIAERESIS}".encode(),
    ):
        Path(os.fsdecode(bytes(root) + b"/" + name)).write_bytes(name)
    for length in LINKS:
        (root / f"link-{length}").symlink_to(("no-such/" * 200)[:length])
    (root / "link-bytes").symlink_to("\udcff/\udcfe")
    (root / "mode").write_bytes(b"")
    (root / "mode").chmod(0o4755)
    os.mkfifo(root / "pipe")
    (root / "empty").mkdir()
    (root / "long").write_bytes(bytes(range(256)) * 3000)
    with (root / "holes").open("wb") as file:
        for number in range(200):
            file.seek(number * 16384)
            file.write(number.to_bytes(2, "big") * 2048)
        file.truncate(200 * 16384 + 5)
    with (root / "late").open("wb") as file:
        file.truncate(5 * MIB)
        file.seek(4 * MIB + 77)
        file.write(b"late")
    many = root / "many"
    many.mkdir()
    for number in range(300):
        (many / f"{number:03}-{'n' * 40}").write_bytes(b"n" * (number % 3))
    (root / "/".join("d" * 40)).mkdir(parents=True)
    for path in (*below(root), root):
        os.utime(path, (1_000_000_000, 1_500_000_000), follow_symlinks=False)
    return root


def expected(path: Path) -> Stat:
    found = path.lstat()
    return Stat(found.st_mode, found.st_uid, found.st_gid, found.st_size, int(found.st_mtime))


def below(folder: Path) -> Iterator[Path]:
    """As ``rglob``, which in Python 3.11 minds links that are too long to be followed."""
    for root, folders, files in os.walk(folder):
        yield from (Path(root) / name for name in folders + files)


def walk(system: ExtFilesystem, folder: str = "") -> Iterator[tuple[str, Stat]]:
    for name, entry in system.scan(folder or "/"):
        yield f"{folder}/{name}", entry
        if entry.is_dir:
            yield from walk(system, f"{folder}/{name}")


@pytest.mark.parametrize("options", VARIANTS.values(), ids=list(VARIANTS))
def test_a_tree_is_read_as_it_is(options: tuple[str, ...], source: Path, tmp_path: Path) -> None:
    path = ext_images.index(ext_images.make(tmp_path / "image", *options, tree=source))
    system = ext_images.opened_file(path)
    found = dict(walk(system))
    names = {f"/{entry.relative_to(source)}": entry for entry in below(source)}
    assert set(found) - {"/lost+found"} == set(names)
    for name, entry in names.items():
        wanted = expected(entry)
        if wanted.is_dir:
            assert sorted(system.listdir(name)) == sorted(path.name for path in entry.iterdir())
            wanted = Stat(wanted.mode, wanted.uid, wanted.gid, found[name].size, wanted.mtime)
        assert found[name] == system.lstat(name) == wanted, name
        if wanted.is_file:
            assert system.read_file(name, 0, wanted.size) == entry.read_bytes(), name
            assert system.read_file(name, 70_000, 100) == entry.read_bytes()[70_000:70_100]
            assert system.read_file(name, wanted.size - 1 if wanted.size else 0, 100) == entry.read_bytes()[-1:]
        if wanted.is_link:
            assert system.readlink(name) == os.readlink(entry)  # noqa: PTH115 - pathlib would tidy it
    assert ext_images.opened_file(path).lstat("/" + "/".join("d" * 40)) == found["/" + "/".join("d" * 40)]


@pytest.mark.parametrize("options", VARIANTS.values(), ids=list(VARIANTS))
def test_the_file_system_is_described_as_e2fsprogs_does(options: tuple[str, ...], tmp_path: Path) -> None:
    path = ext_images.make(
        tmp_path / "image",
        *options,
        "-L",
        "r\N{LATIN SMALL LETTER O WITH DIAERESIS}\N{CYRILLIC SMALL LETTER ZHE}t",
        "-m",
        "7",
    )
    fields = ext_images.superblock(path)
    known = parse_tune2fs(fields)
    info = ext_images.opened_file(path).info
    assert (info.features, info.block_size, info.clean) == (known.features, known.block_size, known.clean)
    assert (info.label, info.uuid) == (fields["Filesystem volume name"], fields["Filesystem UUID"])
    assert (info.inodes, info.free_inodes) == (int(fields["Inode count"]), int(fields["Free inodes"]))
    blocks, cluster = int(fields["Block count"]), int(fields.get("Cluster size", fields["Block size"]))
    assert info.size == blocks * info.block_size - int(fields["Overhead clusters"]) * cluster
    reserve = blocks * info.block_size // cluster // 50 * cluster if "extent" in info.features else 0
    free = int(fields["Free blocks"]) - int(fields["Reserved block count"])
    assert info.free == max(free * info.block_size - reserve, 0)


def test_without_an_identity_there_is_none(tmp_path: Path) -> None:
    path = ext_images.make(tmp_path / "image", "-t", "ext4", "-U", "clear")
    info = ext_images.opened_file(path).info
    assert (info.label, info.uuid) == ("", "")
