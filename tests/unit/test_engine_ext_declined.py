"""What cannot be read with certainty is declined, and the reason told."""

from pathlib import Path

import pytest

from diskimage_validator.engines.direct.ext import ExtFilesystem
from diskimage_validator.errors import DeclinedError
from tests.support import ext_images
from tests.support.ext_images import MIB

EXT2 = ("-t", "ext2", "-b", "1024")
EXT4 = ("-t", "ext4", "-b", "1024")
PLAIN = (*EXT4, "-O", "^metadata_csum,^has_journal")
"""Without checksums, so that other faults can be seen."""


def walk(system: ExtFilesystem, folder: str = "") -> None:
    """Read all there is."""
    for name, entry in system.scan(folder or "/"):
        if entry.is_dir:
            walk(system, f"{folder}/{name}")
        elif entry.is_link:
            system.readlink(f"{folder}/{name}")
        elif entry.is_file:
            system.read_file(f"{folder}/{name}", 0, MIB)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    with (root / "holes").open("wb") as file:
        for number in range(8):
            file.seek(number * 8192)
            file.write(b"content!" * 512)
    (root / "whole").write_bytes(b"w" * 20_000)
    (root / "link").symlink_to("text")
    (root / "long").symlink_to("text" * 20)
    (root / "folder").mkdir()
    return root


def test_the_tree_of_these_tests_is_read(tree: Path, tmp_path: Path) -> None:
    for number, options in enumerate((EXT2, EXT4, PLAIN)):
        walk(ext_images.opened_file(ext_images.make(tmp_path / str(number), *options, tree=tree)))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((*EXT4, "-O", "inline_data"), "feature inline_data"),
        ((*EXT4, "-O", "ea_inode"), "feature ea_inode"),
        ((*EXT4, "-O", "encrypt"), "feature encrypt"),
        ((*EXT4, "-O", "casefold"), "feature casefold"),
        ((*EXT4, "-O", "mmp"), "feature mmp"),
        (("-b", "1024", "-O", "journal_dev"), "feature journal_dev"),
        (("-t", "ext4", "-b", "16384"), "contradicts itself, or its blocks are larger"),
        (("-t", "ext4", "-o", "hurd", "-I", "128"), "not made for Linux"),
        (("-t", "ext2", "-r", "0", "-I", "128", "-O", "none"), "not revision 1"),
    ],
)
def test_features_that_are_not_read(options: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    path = ext_images.make(tmp_path / "image", *options)
    with pytest.raises(DeclinedError, match=reason):
        ext_images.opened_file(path)


@pytest.mark.parametrize(
    ("options", "command", "reason"),
    [
        (EXT4, "feature needs_recovery", "feature needs_recovery"),
        (EXT4, "feature orphan_present", "feature orphan_present"),
        (EXT4, "feature FEATURE_I20", "feature FEATURE_I20"),
        (EXT4, "feature FEATURE_C20", "feature FEATURE_C20"),
        (EXT4, "ssv state 0", "not unmounted in order"),
        (EXT4, "ssv state 2", "has errors"),
        (EXT4, "ssv state 3", "has errors"),
        (EXT4, "ssv last_orphan 12", "to be cleaned up"),
        (EXT4, "ssv journal_inum 0", "journal is on another device"),
        (EXT4, "ssv journal_inum 2", "journal is corrupted"),
        (EXT4, "ssv journal_inum 12", "inode 12"),
        (EXT4, "ssv checksum_type 2", "superblock's checksum"),
        (EXT4, "ssv blocks_count 17000", "contradicts itself"),
        (EXT4, "ssv blocks_count 1", "contradicts itself"),
        (EXT4, "ssv inodes_count 5", "contradicts itself"),
        (EXT4, "ssv log_block_size 31", "contradicts itself"),
        (EXT4, "ssv log_cluster_size 1", "contradicts itself"),
        (EXT4, "ssv inode_size 0", "contradicts itself"),
        (EXT4, "ssv inode_size 200", "contradicts itself"),
        (EXT4, "ssv desc_size 32", "contradicts itself"),
        (EXT4, "ssv desc_size 65535", "contradicts itself"),
        (EXT4, "ssv first_data_block 0", "contradicts itself"),
        (EXT4, "ssv blocks_per_group 0", "contradicts itself"),
        (EXT4, "ssv inodes_per_group 0", "contradicts itself"),
        (EXT4, "ssv first_ino 1", "contradicts itself"),
        (EXT4, "ssv r_blocks_count 17000", "contradicts itself"),
        ((*EXT4, "-O", "meta_bg,^resize_inode"), "ssv first_meta_bg 2000", "contradicts itself"),
        (EXT4, "ssv reserved_gdt_blocks 65535", "more is free or used"),
        ((*EXT4, "-O", "bigalloc"), "ssv overhead_clusters 0", "did not say how many clusters"),
        (PLAIN, "set_bg 0 inode_table 0", "descriptor of block group 0"),
        (PLAIN, "set_bg 1 inode_table 16380", "descriptor of block group 1"),
        (PLAIN, "set_bg 0 free_inodes_count 65000", "descriptor of block group 0"),
        (PLAIN, "set_bg 0 free_blocks_count 65000", "more is free or used"),
    ],
)
def test_a_superblock_that_is_not_in_order(options: tuple[str, ...], command: str, reason: str, tmp_path: Path) -> None:
    path = ext_images.make(tmp_path / "image", *options)
    ext_images.opened_file(path)
    ext_images.change(path, command)
    with pytest.raises(DeclinedError, match=reason):
        ext_images.opened_file(path)


def test_a_volume_that_is_cut_off(tmp_path: Path) -> None:
    content = ext_images.make(tmp_path / "image", *EXT4).read_bytes()
    with pytest.raises(DeclinedError, match="16384 blocks of 1024 bytes do not fit on a volume of 16777215 bytes"):
        ext_images.opened(content[:-1])
    for size in (0, 1, 1024, 1500, 2047):
        with pytest.raises(DeclinedError, match=r"not.* on the volume"):
            ext_images.opened(content[:size])


def test_what_is_no_ext_file_system() -> None:
    with pytest.raises(DeclinedError, match="no superblock"):
        ext_images.opened(bytes(MIB))


def test_a_journal_that_was_given_up(tmp_path: Path) -> None:
    path = ext_images.make(tmp_path / "image", *EXT4)
    content = path.read_bytes()
    start = content.index(b"\xc0\x3b\x39\x98\0\0\0\4")
    error = start + 32
    with pytest.raises(DeclinedError, match="given up after error -5"):
        ext_images.opened(content[:error] + b"\xff\xff\xff\xfb" + content[error + 4 :])
    blocks = start + 16
    with pytest.raises(DeclinedError, match="shorter than it says"):
        ext_images.opened(content[:blocks] + b"\0\1\0\0" + content[blocks + 4 :])


@pytest.mark.parametrize(
    ("options", "command", "reason"),
    [
        (PLAIN, "ln /folder /folder/again", "has two names"),
        (PLAIN, "ln / /folder/again", "inode 2 is named"),
        (PLAIN, "ln <8> /journal", "inode 8 is named"),
        (PLAIN, "ln <100> /never-used", "inode 100 is not in use"),
        (EXT4, "ln <100> /never-used", "inode 100 is named"),
        (PLAIN, "mknod whole p", "a name twice"),
        (PLAIN, "mknod a/b/c p", "no file can have"),
        (PLAIN, "mknod .. p", "no file can have"),
        (PLAIN, "sif /whole links_count 0", "not in use"),
        (PLAIN, "sif /whole mode 0", "no kind that is read"),
        (PLAIN, "sif /whole mode 0170644", "no kind that is read"),
        (PLAIN, "sif /whole flags 0x80800", "no kind that is read"),
        (PLAIN, "sif /whole flags 0x10080000", "no kind that is read"),
        (PLAIN, "sif /whole size 0x8000000000000000", "no kind that is read"),
        (PLAIN, "sif /whole extra_isize 132", "132 bytes of extra"),
        (PLAIN, "sif /whole extra_isize 30", "30 bytes of extra"),
        (PLAIN, "sif /folder size 100", "has 100 bytes"),
        (PLAIN, "sif /folder size 0", "has 0 bytes"),
        (PLAIN, "sif /folder size 33554432", "has 33554432 bytes"),
        (PLAIN, "sif /folder size 2048", "does not fit into its block"),
        (PLAIN, "sif /folder block[5] 1", "not on the volume"),
        (PLAIN, "sif /link size 60", "no symbolic link"),
        (PLAIN, "sif /link size 5", "no symbolic link"),
        (PLAIN, "sif /link size 0", "no symbolic link"),
        (PLAIN, "sif /long size 1024", "no symbolic link"),
        (PLAIN, "sif /long size 81", "no symbolic link"),
        (PLAIN, "sif /whole block[0] 0", "extent tree .* corrupted"),
        (PLAIN, "sif /whole block[0] 0x5f30a", "extent tree .* corrupted"),
        (PLAIN, "sif /whole block[1] 0x60004", "extent tree .* corrupted"),
        (PLAIN, "sif /whole block[1] 0x10004", "not on the volume"),
        (PLAIN, "sif /whole block[1] 5", "extent tree .* corrupted"),
        (PLAIN, "sif /whole block[1] 0", "extent tree .* corrupted"),
        (PLAIN, "sif /whole block[4] 0", "extent tree .* corrupted"),
        (PLAIN, "sif /whole block[4] 0x10014", "not on the volume"),
        (PLAIN, "sif /whole block[5] 16380", "not on the volume"),
        (PLAIN, "sif /whole block[5] 1", "not on the volume"),
        (PLAIN, "sif /holes block[3] 1", "extent tree .* corrupted"),
        (PLAIN, "sif /holes block[4] 1", "not on the volume"),
        (PLAIN, "sif /holes block[4] 20000", "not on the volume"),
        (PLAIN, "sif /holes block[1] 0x20004", "extent tree .* corrupted"),
        (EXT2, "sif /whole block[3] 16384", "not on the volume"),
        (EXT2, "sif /whole block[3] 1", "not on the volume"),
        (EXT2, "sif /whole block[IND] 16384", "not on the volume"),
    ],
)
def test_a_tree_that_cannot_be(options: tuple[str, ...], command: str, reason: str, tree: Path, tmp_path: Path) -> None:
    path = ext_images.make(tmp_path / "image", *options, tree=tree)
    ext_images.change(path, command)
    with pytest.raises(DeclinedError, match=reason):
        walk(ext_images.opened_file(path))


@pytest.mark.parametrize(("name", "at"), [("superblock", 1024 + 16), ("group", 2048 + 12)])
def test_a_wrong_checksum_of_the_file_system(name: str, at: int, tmp_path: Path) -> None:
    content = bytearray(ext_images.make(tmp_path / "image", *EXT4).read_bytes())
    content[at] ^= 1
    with pytest.raises(DeclinedError, match=f"{name}.* checksum|checksum of block {name}"):
        ext_images.opened(bytes(content))


def test_a_file_that_no_block_map_can_map(tree: Path, tmp_path: Path) -> None:
    path = ext_images.change(ext_images.make(tmp_path / "image", *EXT2, tree=tree), "sif /whole size 0x500000000")
    system = ext_images.opened_file(path)
    assert system.read_file("/whole", 0, 20_001) == b"w" * 20_000 + b"\0"
    with pytest.raises(DeclinedError, match="larger than its block map"):
        system.read_file("/whole", 0x4FFFFFF00, 1)
