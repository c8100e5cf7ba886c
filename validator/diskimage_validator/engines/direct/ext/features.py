"""Features of an ext file system, named as ``tune2fs -l`` names them, and those that are read here.

A name stands for a bit: Documentation/filesystems/ext4/globals.rst; the names are those of libe2p, see ext4(5).
"""

from typing import Final

COMPATIBLE: Final = {
    0: "dir_prealloc",
    1: "imagic_inodes",
    2: "has_journal",
    3: "ext_attr",
    4: "resize_inode",
    5: "dir_index",
    6: "lazy_bg",
    8: "snapshot_bitmap",
    9: "sparse_super2",
    10: "fast_commit",
    11: "stable_inodes",
    12: "orphan_file",
}
INCOMPATIBLE: Final = {
    0: "compression",
    1: "filetype",
    2: "needs_recovery",
    3: "journal_dev",
    4: "meta_bg",
    6: "extent",
    7: "64bit",
    8: "mmp",
    9: "flex_bg",
    10: "ea_inode",
    12: "dirdata",
    13: "metadata_csum_seed",
    14: "large_dir",
    15: "inline_data",
    16: "encrypt",
    17: "casefold",
}
READ_ONLY_COMPATIBLE: Final = {
    0: "sparse_super",
    1: "large_file",
    3: "huge_file",
    4: "uninit_bg",
    5: "dir_nlink",
    6: "extra_isize",
    8: "quota",
    9: "bigalloc",
    10: "metadata_csum",
    11: "replica",
    12: "read-only",
    13: "project",
    14: "shared_blocks",
    15: "verity",
    16: "orphan_present",
}
WORDS: Final = (("C", COMPATIBLE), ("I", INCOMPATIBLE), ("R", READ_ONLY_COMPATIBLE))
"""The three words of the superblock in the order in which tune2fs(8) prints them."""

READ: Final = frozenset(
    {"filetype", "meta_bg", "extent", "64bit", "flex_bg", "metadata_csum_seed", "large_dir"}
    | set(COMPATIBLE.values())
    | set(READ_ONLY_COMPATIBLE.values())
) - {"orphan_present"}
"""What a reader has to know to be right. ``orphan_present``: the kernel has to clean up first."""


def feature_names(compatible: int, incompatible: int, read_only: int) -> tuple[str, ...]:
    """Return the names of the bits that are set; a bit without a name is ``FEATURE_I5``, as e2fsprogs calls it."""
    return tuple(
        names.get(bit, f"FEATURE_{letter}{bit}")
        for word, (letter, names) in zip((compatible, incompatible, read_only), WORDS, strict=True)
        for bit in range(32)
        if word >> bit & 1
    )
