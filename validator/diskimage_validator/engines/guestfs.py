"""The reference engine: libguestfs reads the disk in a small virtual machine of its own.

It reads every file system that a Linux kernel reads, and a file system made to attack its reader attacks the kernel of
the appliance, not the host's. What it gets is a throw-away overlay with an explicit format, mounted read-only, and no
network.
"""

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from diskimage_validator.engines import overlay
from diskimage_validator.engines.appliance import Progress, launch
from diskimage_validator.engines.base import Disk, Filesystem, Partition, Stat
from diskimage_validator.engines.disk_engine import ROOT_MARKS, DiskEngine
from diskimage_validator.engines.guestfs_volumes import UNMOUNTABLE, list_volumes
from diskimage_validator.engines.overlay import Overlay
from diskimage_validator.engines.superblock import Superblock, is_clean, read_superblocks
from diskimage_validator.engines.volumes import Volume
from diskimage_validator.errors import EngineError
from diskimage_validator.image_file import ImageFile

DEVICE: Final = "/dev/sda"
SECTION: Final = 1024 * 1024
"""Bytes per pread call: a message of the appliance's protocol is limited to 4 MiB (guestfs-internals(1))."""
TABLES: Final = {"msdos": "mbr", "gpt": "gpt"}


class GuestfsEngine(DiskEngine):
    """Read-only view of an image's root file system, with the file systems of its fstab mounted where they belong."""

    name: ClassVar[str] = "guestfs"

    def __init__(self, image: ImageFile, *, progress: Progress | None = None) -> None:
        super().__init__(image)
        self._stats: dict[str, Stat | None] = {}
        self._links: dict[str, str] = {}
        self._handle: Any = None
        self._superblocks: dict[str, Superblock] = {}
        self._overlay = Overlay(image)
        try:
            sector = self._overlay.sector_size()
            self._handle, notes = launch(
                lambda handle: handle.add_drive_opts(str(self._overlay.path), format=overlay.FORMAT, blocksize=sector),
                progress=progress,
            )
            self.notes.extend([*image.notes, *notes])
            if sector != overlay.SECTORS[0]:
                self.notes.append(f"the disk is laid out for sectors of {sector} bytes, which few machines have")
            if progress:
                progress("mounting the root file system")
            with _engine_errors("looking for the root file system"):
                types: dict[str, str] = self._handle.list_filesystems()
                self._superblocks = read_superblocks(self._handle, types)
                self._volumes = list_volumes(self._handle, types)
                self._types = {device: kind for device, kind in types.items() if kind in UNMOUNTABLE}
                self._types |= {volume.mountable: volume.type for volume in self._volumes}
                self._mount_root()
                self._mount_fstab()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the appliance and remove the overlay."""
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()
        self._overlay.close()

    def disk(self) -> Disk:
        """Return partition table and file systems; sizes and free space are those of mounted file systems."""
        with _engine_errors("reading the disk's layout"):
            partitioned = bool(self._handle.list_partitions())
            table = TABLES.get(self._handle.part_get_parttype(DEVICE), "unknown") if partitioned else "none"
            return Disk(
                partition_table=table,
                virtual_size=int(self._handle.blockdev_getsize64(DEVICE)),
                filesystems=tuple(self._filesystem(device, kind) for device, kind in sorted(self._types.items())),
                partitions=tuple(self._partitions(table)) if partitioned else (),
                compat=self._image.compat,
                compression=self._image.compression,
            )

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
        known = kind not in UNMOUNTABLE
        superblock = self._superblocks.get(device, Superblock())
        return Filesystem(
            device=device,
            type=kind,
            mountpoint=mountpoint,
            label=self._handle.vfs_label(device) if known else "",
            uuid=self._handle.vfs_uuid(device) if known else "",
            size=size,
            free=free,
            inodes=inodes,
            free_inodes=free_inodes,
            clean=superblock.clean if superblock.features else is_clean(self._handle, device, kind),
            block_size=superblock.block_size,
            features=superblock.features or None,
        )

    def _is_root(self) -> bool:
        return any(self._handle.is_file(mark, followsymlinks=True) for mark in ROOT_MARKS)

    def _mount(self, volume: Volume, mountpoint: str) -> bool:
        try:
            self._handle.mount_ro(volume.mountable, mountpoint)
        except RuntimeError as error:
            self.notes.append(f"{volume.mountable} ({volume.type}) cannot be mounted on {mountpoint}: {error}")
            return False
        self._forget()
        return True

    def _unmount_root(self) -> None:
        self._handle.umount("/")
        self._forget()

    def _forget(self) -> None:
        """Forget what was read, because something else is mounted now."""
        self._stats.clear()
        self._links.clear()

    # Primitives of the engine protocol.

    def _lstat(self, path: str) -> Stat | None:
        if path not in self._stats:
            self._stats[path] = self._fetch_stat(path)
        return self._stats[path]

    def _fetch_stat(self, path: str) -> Stat | None:
        if path == "/":
            with _engine_errors(path):
                return _stat(self._handle.lstatns("/"))
        folder, name = posixpath.split(path)
        parent = self._lstat(folder)
        if parent is None or not parent.is_dir:
            return None
        # lstatnslist marks a missing entry with inode -1, where lstatns would raise an error without its errno.
        with _engine_errors(path):
            (entry,) = self._handle.lstatnslist(folder, [name])
        return None if entry["st_ino"] == -1 else _stat(entry)

    def _scan(self, path: str) -> list[tuple[str, Stat]]:
        with _engine_errors(path):
            names = [str(name) for name in self._handle.ls(path)]
            entries = self._handle.lstatnslist(path, names)
        found = [(name, _stat(entry)) for name, entry in zip(names, entries, strict=True) if entry["st_ino"] != -1]
        self._stats.update((posixpath.join(path, name), entry) for name, entry in found)
        return found

    def _readlink(self, path: str) -> str:
        if path not in self._links:
            # One link costs 7 ms, a list of them hardly more: whoever asks for one asks for its neighbours next.
            folder = posixpath.dirname(path)
            names = [name for name, entry in self._scan(folder) if entry.is_link]
            with _engine_errors(path):
                texts = self._handle.readlinklist(folder, names)
            self._links.update(
                (posixpath.join(folder, name), str(text)) for name, text in zip(names, texts, strict=True)
            )
        return self._links[path]

    def _read(self, path: str, offset: int, size: int) -> bytes:
        parts = []
        with _engine_errors(path):
            while size > 0:
                part: bytes = self._handle.pread(path, min(size, SECTION), offset)
                if not part:
                    break
                parts.append(part)
                offset += len(part)
                size -= len(part)
        return b"".join(parts)

    def _listdir(self, path: str) -> list[str]:
        with _engine_errors(path):
            return [str(name) for name in self._handle.ls(path)]


def _stat(entry: dict[str, Any]) -> Stat:
    return Stat(
        mode=int(entry["st_mode"]),
        uid=int(entry["st_uid"]),
        gid=int(entry["st_gid"]),
        size=int(entry["st_size"]),
        mtime=int(entry["st_mtime_sec"]),
    )


@contextmanager
def _engine_errors(subject: str) -> Iterator[None]:
    """Turn the binding's errors into EngineError: RuntimeError, and UnicodeDecodeError for a name that is not UTF-8."""
    try:
        yield
    except (RuntimeError, UnicodeDecodeError) as error:
        raise EngineError(f"libguestfs: {subject}: {error}") from error
