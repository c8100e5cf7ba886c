"""An image read where it lies: QEMU's block layer as a process, partition table and file systems in Python.

No virtual machine, no root, no kernel: it takes a twentieth of a second where libguestfs takes ten. What it cannot read
with certainty it declines, whenever that shows, and somebody else goes on. It gives the same facts as libguestfs does.
"""

import posixpath
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Final, ParamSpec, TypeVar

from diskimage_validator.engines.base import Disk, Filesystem, Stat
from diskimage_validator.engines.direct.blocks import BLOCK, Blocks
from diskimage_validator.engines.direct.qemu_nbd import QemuNbd
from diskimage_validator.engines.direct.slot import SECTOR
from diskimage_validator.engines.direct.storage import FileSystem, read_storage
from diskimage_validator.engines.disk_engine import DiskEngine
from diskimage_validator.engines.volumes import Volume
from diskimage_validator.errors import DeclinedError, ValidatorError
from diskimage_validator.image_file import ImageFile

MAX_REMEMBERED: Final = 50_000
"""Entries whose lstat is kept."""

P = ParamSpec("P")
T = TypeVar("T")


class DirectEngine(DiskEngine):
    """Read-only view of an image's root file system, with the file systems of its fstab mounted where they belong.

    Raises DeclinedError, now or at any later access, for what it cannot read with certainty. An engine that declined
    once does so for ever, and ``confirm`` tells. The thread that opens it has to live as long as it is used.
    """

    name: ClassVar[str] = "direct"

    def __init__(self, image: ImageFile, *, progress: Callable[[str], None] | None = None) -> None:
        super().__init__(image)
        self._declined: DeclinedError | None = None
        self._stats: dict[str, Stat | None] = {}
        self._tree: list[tuple[str, FileSystem]] = []
        """Mount points without their slash at the end, the deepest first."""
        if progress:
            progress("looking for the root file system")
        self._server = QemuNbd(image)
        try:
            self.notes.extend(dict.fromkeys([*image.notes, *self._server.notes]))
            block = max(BLOCK, image.cluster_size or 0)
            self._blocks = Blocks(self._server.read, self._server.size, block, self._server.begin)
            self._storage = self._ask(read_storage, self._blocks.read, self._server.size, self._blocks.expect)
            if self._storage.table.sector != SECTOR:
                size = self._storage.table.sector
                self.notes.append(f"the disk is laid out for sectors of {size} bytes, which few machines have")
            self._types = dict(self._storage.types)
            self._volumes = tuple(self._storage.opened[device].volume for device in sorted(self._storage.opened))
            self._mount_all()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End qemu-nbd. Calling it twice is harmless."""
        self._server.close()

    def reserve_fork(self) -> bool:
        """Whether there is a connection to qemu-nbd for it: one."""
        return self._declined is None and self._server.reserve()

    def enter_fork(self) -> None:
        """Read by the connection that was reserved, and forget what was asked for by the other one."""
        self._server.use_reserved()
        self._blocks.forget()

    def confirm(self) -> None:
        """Raise DeclinedError if anything was declined: what was read besides is not certain either."""
        if self._declined is not None:
            raise self._declined

    def disk(self) -> Disk:
        """Return partition table and file systems; sizes and free space are told of mounted file systems only."""
        return Disk(
            partition_table=self._storage.table.kind,
            virtual_size=self._server.size,
            filesystems=tuple(self._filesystem(device, kind) for device, kind in sorted(self._types.items())),
            partitions=tuple(slot.partition for slot in self._storage.table.slots),
            compat=self._image.compat,
            compression=self._image.compression,
        )

    def _filesystem(self, device: str, kind: str) -> Filesystem:
        if device not in self._storage.opened:
            return Filesystem(device, kind, None, "", "")
        facts, mountpoint = self._storage.opened[device].facts, self._mounted.get(device)
        if mountpoint is None:
            return replace(facts, size=None, free=None, inodes=None, free_inodes=None)
        return replace(facts, mountpoint=mountpoint)

    def _mount_all(self) -> None:
        """Mount root and fstab. That there is no root, or more than one, somebody else has to confirm."""
        try:
            self._mount_root()
            self._mount_fstab()
        except DeclinedError:
            raise
        except ValidatorError as error:
            raise DeclinedError(error.message, error.hint) from error

    def _mount(self, volume: Volume, mountpoint: str) -> bool:
        if mountpoint != "/":
            entry = self._lstat(mountpoint)
            if entry is None or not entry.is_dir:
                self.notes.append(f"{volume.mountable} ({volume.type}) cannot be mounted on {mountpoint}: no directory")
                return False
        self._tree.append((mountpoint.rstrip("/"), self._storage.opened[volume.device].reader))
        self._tree.sort(key=lambda mount: len(mount[0]), reverse=True)
        self._stats.clear()
        return True

    def _unmount_root(self) -> None:
        self._tree.clear()
        self._stats.clear()

    def _ask(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``function``. Whatever it cannot do, be it for a fault of its own, is declined from now on."""
        self.confirm()
        try:
            return function(*args, **kwargs)
        except DeclinedError as error:
            self._declined = error
            raise
        except ValidatorError:
            raise
        except Exception as error:  # hostile input may break any parser: that is a "cannot tell", no crash
            self._declined = DeclinedError(f"reading the file system: {type(error).__name__}: {error}")
            raise self._declined from error

    def _place(self, path: str) -> tuple[FileSystem, str]:
        """Return the file system that ``path`` is in, and the path inside it."""
        for mountpoint, reader in self._tree:
            if path == mountpoint or path.startswith(f"{mountpoint}/"):
                return reader, path[len(mountpoint) :] or "/"
        raise DeclinedError("no file system is mounted")

    # Primitives of the engine protocol.

    def _lstat(self, path: str) -> Stat | None:
        if path not in self._stats:
            if len(self._stats) >= MAX_REMEMBERED:
                self._stats.clear()
            reader, inside = self._place(path)
            self._stats[path] = self._ask(reader.lstat, inside)
        return self._stats[path]

    def _readlink(self, path: str) -> str:
        reader, inside = self._place(path)
        return self._ask(reader.readlink, inside)

    def _read(self, path: str, offset: int, size: int) -> bytes:
        reader, inside = self._place(path)
        return self._ask(reader.read_file, inside, offset, size)

    def _listdir(self, path: str) -> list[str]:
        reader, inside = self._place(path)
        return self._ask(reader.listdir, inside)

    def _scan(self, path: str) -> list[tuple[str, Stat]]:
        reader, inside = self._place(path)
        found = self._ask(reader.scan, inside)
        covered = {posixpath.basename(point) for point, _ in self._tree if point and posixpath.dirname(point) == path}
        if not covered:
            return found
        mounted = ((name, self._lstat(posixpath.join(path, name)) if name in covered else None) for name, _ in found)
        return [(name, there or entry) for (name, there), (_, entry) in zip(mounted, found, strict=True)]
