"""The reference engine: libguestfs reads the disk in a small virtual machine of its own.

It reads every file system that a Linux kernel reads, and a file system made to attack its reader attacks the kernel of
the appliance, not the host's. What it gets is a throw-away overlay with an explicit format, mounted read-only, and no
network.
"""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final

from diskimage_validator.engines import overlay
from diskimage_validator.engines.appliance import Progress
from diskimage_validator.engines.appliance_digests import fetch_digests
from diskimage_validator.engines.appliance_disk import Appliance, ApplianceDisk
from diskimage_validator.engines.base import Disk, Filesystem, Partition, Stat
from diskimage_validator.engines.disk_engine import ROOT_MARKS, DiskEngine
from diskimage_validator.engines.guestfs_files import GuestfsFiles, engine_errors
from diskimage_validator.engines.guestfs_layout import Layout, read_layout
from diskimage_validator.engines.guestfs_volumes import UNMOUNTABLE, list_volumes, with_subvolumes
from diskimage_validator.engines.sharing import SharedAppliance, is_unmistakable
from diskimage_validator.engines.superblock import Superblock, is_clean, read_superblocks
from diskimage_validator.engines.volumes import Volume
from diskimage_validator.errors import EngineDiedError, EngineError
from diskimage_validator.image_file import ImageFile

DEVICE: Final = "/dev/sda"
"""What the disk is called in facts, also where it is not the first one of its appliance."""
DIED: Final = "the libguestfs appliance died while the image was read"
DIED_HINT: Final = "LIBGUESTFS_DEBUG=1 shows what the appliance said; its memory may not do for this image"
TABLES: Final = {"msdos": "mbr", "gpt": "gpt"}


class GuestfsEngine(DiskEngine):
    """Read-only view of an image's root file system, with the file systems of its fstab mounted where they belong."""

    name: ClassVar[str] = "guestfs"

    def __init__(
        self, image: ImageFile, *, sharing: SharedAppliance | None = None, progress: Progress | None = None
    ) -> None:
        """Open ``image``, in an appliance of ``sharing`` if that lends one and it is safe, or in one of its own."""
        super().__init__(image)
        self._handle: Any = None
        self._disk: ApplianceDisk | None = None
        self._superblocks: dict[str, Superblock] = {}
        self._layout: Layout | None = None
        self.notes.extend(image.notes)
        try:
            disk = self._take_disk(image, sharing, progress)
            self.notes.extend(disk.notes)
            if disk.sector != overlay.SECTORS[0]:
                self.notes.append(f"the disk is laid out for sectors of {disk.sector} bytes, which few machines have")
            if progress:
                progress("mounting the root file system")
            with engine_errors("looking for the root file system"):
                types = self._find_volumes()
                found = read_superblocks(self._handle, {self._real(device): kind for device, kind in types.items()})
                self._superblocks = {device: found[real] for device in types if (real := self._real(device)) in found}
                self._types = {device: kind for device, kind in types.items() if kind in UNMOUNTABLE}
                self._types |= {volume.mountable: volume.type for volume in self._volumes}
                self._mount_root()
                self._mount_fstab()
        except BaseException as error:
            died = isinstance(error, EngineError) and self._handle is not None and not self._handle.is_ready()
            self.close()
            if died:
                raise EngineDiedError(DIED, DIED_HINT) from error
            raise

    def _take_disk(self, image: ImageFile, sharing: SharedAppliance | None, progress: Progress | None) -> ApplianceDisk:
        """Have the image's disk, and its layout if that is simple."""
        disk = sharing.lend(image, progress) if sharing else None
        if disk is not None:
            self._use(disk)
            if is_unmistakable(self._layout):
                self.notes.append("other images were read in the same appliance: --share-appliance")
                return disk
            self._release()
        appliance = Appliance([image], progress=progress)
        return self._use(appliance.disk(0, appliance.close))

    def _use(self, disk: ApplianceDisk) -> ApplianceDisk:
        self._disk, self._handle = disk, disk.handle
        self._files = GuestfsFiles(self._handle)
        self._layout = read_layout(self._handle, DEVICE, disk.label)
        return disk

    def _real(self, device: str) -> str:
        """Return libguestfs' name of what facts call ``device``."""
        return device.replace(DEVICE, self._disk.device, 1) if self._disk else device

    def _find_volumes(self) -> dict[str, str]:
        """Set what can be mounted, and return device to type of all there is."""
        if self._layout is not None:
            self._volumes = with_subvolumes(self._handle, self._layout.volumes)
            return dict(self._layout.types)
        types: dict[str, str] = self._handle.list_filesystems()
        self._volumes = list_volumes(self._handle, types)
        return types

    def confirm(self) -> None:
        """Raise EngineDiedError if the appliance is gone: then what was not read is not what cannot be read."""
        if self._handle is not None and not self._handle.is_ready():
            raise EngineDiedError(DIED, DIED_HINT)

    def close(self) -> None:
        """End the appliance, or give it back to others. Calling it twice is harmless."""
        self._release()

    def _release(self) -> None:
        disk, self._disk, self._handle = self._disk, None, None
        if disk is not None:
            disk.release()

    def disk(self) -> Disk:
        """Return partition table and file systems; sizes and free space are those of mounted file systems."""
        with engine_errors("reading the disk's layout"):
            table, size, partitions = self._table()
            return Disk(
                partition_table=table,
                virtual_size=size,
                filesystems=tuple(self._filesystem(device, kind) for device, kind in sorted(self._types.items())),
                partitions=partitions,
                compat=self._image.compat,
                compression=self._image.compression,
            )

    def _table(self) -> tuple[str, int, tuple[Partition, ...]]:
        """Return kind of the partition table, size of the disk in bytes, and partitions."""
        if self._layout is not None:
            return self._layout.table, self._layout.size, self._layout.partitions
        partitioned = bool(self._handle.list_partitions())
        table = TABLES.get(self._handle.part_get_parttype(DEVICE), "unknown") if partitioned else "none"
        partitions = tuple(self._partitions(table)) if partitioned else ()
        return table, int(self._handle.blockdev_getsize64(DEVICE)), partitions

    def _partitions(self, table: str) -> Iterator[Partition]:
        for entry in self._handle.part_list(DEVICE):
            number = int(entry["part_num"])
            kind = ""
            if table == "gpt":
                kind = str(self._handle.part_get_gpt_type(DEVICE, number)).upper()
            elif table == "mbr":
                kind = f"{self._handle.part_get_mbr_id(DEVICE, number):02x}"
            yield Partition(f"{DEVICE}{number}", number, int(entry["part_start"]), int(entry["part_size"]), kind)

    def _filesystem(self, device: str, kind: str) -> Filesystem:
        mountpoint = self._mounted.get(device)
        size = free = inodes = free_inodes = None
        if mountpoint is not None:
            usage = self._handle.statvfs(mountpoint)
            size = int(usage["blocks"]) * int(usage["frsize"])
            free = int(usage["bavail"]) * int(usage["frsize"])
            inodes, free_inodes = int(usage["files"]), int(usage["favail"])
        volume = next((volume for volume in self._volumes if volume.mountable == device), None)
        superblock = self._superblocks.get(device, Superblock())
        return Filesystem(
            device=device,
            type=kind,
            mountpoint=mountpoint,
            label=volume.label if volume else "",
            uuid=volume.uuid if volume else "",
            size=size,
            free=free,
            inodes=inodes,
            free_inodes=free_inodes,
            clean=superblock.clean if superblock.features else is_clean(self._handle, self._real(device), kind),
            block_size=superblock.block_size,
            features=superblock.features or None,
        )

    def _is_root(self) -> bool:
        return any(self._handle.is_file(mark, followsymlinks=True) for mark in ROOT_MARKS)

    def _mount(self, volume: Volume, mountpoint: str) -> bool:
        try:
            self._mount_device(self._real(volume.mountable), mountpoint)
        except RuntimeError as error:
            self.notes.append(f"{volume.mountable} ({volume.type}) cannot be mounted on {mountpoint}: {error}")
            return False
        self._files.forget()
        return True

    def _mount_device(self, mountable: str, mountpoint: str) -> None:
        self._handle.mount_ro(mountable, mountpoint)

    def _unmount_root(self) -> None:
        self._handle.umount("/")
        self._files.forget()

    # Primitives of the engine protocol.

    def _lstat(self, path: str) -> Stat | None:
        return self._files.lstat(path)

    def _scan(self, path: str) -> list[tuple[str, Stat]]:
        return self._files.scan(path)

    def _readlink(self, path: str) -> str:
        return self._files.readlink(path)

    def _read(self, path: str, offset: int, size: int) -> bytes:
        return self._files.read(path, offset, size)

    def _listdir(self, path: str) -> list[str]:
        return self._files.names(path)

    def _digests(self, paths: Sequence[str], algorithm: str) -> dict[str, str]:
        return fetch_digests(self._handle, paths, algorithm)

    def walk(self, path: str) -> Iterator[tuple[str, Stat]]:
        """As in Engine; but all of the target is fetched at once."""
        if path == "/":
            self._files.load_all()
        return super().walk(path)
