"""The disk of a target at rest, and the kernels on it."""

from dataclasses import replace
from typing import Final

from diskimage_validator.engines.base import Engine, Filesystem, Partition
from diskimage_validator.errors import EntryNotFoundError
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path

__all__ = ["DiskFacts", "Filesystem", "Partition", "read_disk", "read_kernels"]

MAX_KERNELS: Final = 100


@dataclass(frozen=True)
class DiskFacts:
    """Disk and image file; sizes in bytes, ``file_size`` None if unknown. ``root`` is the file system at ``/``.

    ``format`` is the image file's; the rest is as in Disk.
    """

    partition_table: str
    virtual_size: int
    file_size: int | None
    filesystems: tuple[Filesystem, ...]
    format: str | None
    compat: str | None
    compression: str | None
    partitions: tuple[Partition, ...] | None

    @property
    def root(self) -> Filesystem | None:
        """The file system that is mounted at ``/``."""
        return next((filesystem for filesystem in self.filesystems if filesystem.mountpoint == "/"), None)

    @property
    def root_partition(self) -> Partition | None:
        """The partition that holds the root file system itself; None if there is none, or LVM lies in between."""
        device = self.root.device if self.root else ""
        if device.startswith("btrfsvol:"):  # libguestfs's name of a subvolume: btrfsvol:/dev/sda1/root
            device = "/".join(device.removeprefix("btrfsvol:").split("/")[:3])
        return next((partition for partition in self.partitions or () if partition.device == device), None)


def read_disk(engine: Engine) -> DiskFacts | None:
    """Return the target's disk, None for a target without one (a directory, a remote node)."""
    disk = engine.disk()
    if disk is None:
        return None
    return DiskFacts(
        partition_table=disk.partition_table,
        virtual_size=disk.virtual_size,
        file_size=engine.target.file_size,
        filesystems=tuple(replace(found, label=clean_path(found.label)) for found in disk.filesystems),
        format=engine.target.format,
        compat=disk.compat,
        compression=disk.compression,
        partitions=disk.partitions,
    )


def read_kernels(engine: Engine) -> tuple[str, ...]:
    """Return the versions of the kernels in /boot, sorted by name; empty if there is none (a container's root)."""
    try:
        names = engine.listdir("/boot")
    except EntryNotFoundError:
        return ()
    kernels = [name.removeprefix("vmlinuz-") for name in names if name.startswith("vmlinuz-")]
    return tuple(clean_path(kernel) for kernel in kernels[:MAX_KERNELS])
