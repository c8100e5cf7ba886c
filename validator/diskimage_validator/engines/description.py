"""What engines tell: an entry's stat, and the disk that a target at rest is."""

import stat as stat_module
from typing import Final, NamedTuple

from diskimage_validator.frozen import dataclass

TYPE: Final = 0o170000
"""The bits of a mode that tell what an entry is: S_IFMT of inode(7)."""


class Stat(NamedTuple):
    """Result of ``stat`` or ``lstat``: ``mode`` as in stat(2), ``size`` in bytes, ``mtime`` in whole seconds (UTC)."""

    mode: int
    uid: int
    gid: int
    size: int
    mtime: int

    @property
    def is_file(self) -> bool:
        """Whether this is a regular file."""
        return self.mode & TYPE == stat_module.S_IFREG

    @property
    def is_dir(self) -> bool:
        """Whether this is a directory."""
        return self.mode & TYPE == stat_module.S_IFDIR

    @property
    def is_link(self) -> bool:
        """Whether this is a symbolic link (only ever true for ``lstat``)."""
        return self.mode & TYPE == stat_module.S_IFLNK

    @property
    def is_executable(self) -> bool:
        """Whether this is a regular file that somebody may execute."""
        return self.is_file and bool(self.mode & 0o111)


@dataclass(frozen=True)
class Filesystem:
    """One file system of the target. Sizes in bytes; None where the engine cannot tell.

    ``free`` is what a user other than root can use. ``inodes`` is 0 where they are made as needed. ``clean`` says
    whether it was unmounted in order and has no known error. ``features`` are those of ext2/3/4, see ext4(5).
    """

    device: str
    type: str
    mountpoint: str | None
    label: str
    uuid: str
    size: int | None = None
    free: int | None = None
    inodes: int | None = None
    free_inodes: int | None = None
    clean: bool | None = None
    block_size: int | None = None
    features: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Partition:
    """One partition. ``start`` and ``size`` in bytes; ``type`` is MBR's id in hex, or GPT's GUID in upper case."""

    device: str
    number: int
    start: int
    size: int
    type: str


@dataclass(frozen=True)
class Disk:
    """Disk of a target at rest. ``partition_table`` is ``mbr``, ``gpt`` or ``none``; ``virtual_size`` in bytes.

    ``partitions`` are those of the table, None where the engine cannot tell. ``compat`` is qcow2's, None for any other
    format; ``compression`` is ``zlib``, ``zstd``, or ``none`` for an image without compressed clusters.
    """

    partition_table: str
    virtual_size: int
    filesystems: tuple[Filesystem, ...]
    partitions: tuple[Partition, ...] | None = None
    compat: str | None = None
    compression: str | None = None
