"""What the engines for disk images have in common: which file system is the root, and what its fstab mounts."""

from abc import abstractmethod
from dataclasses import replace
from typing import ClassVar, Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.engines.volumes import Volume, choose_root, find_volume
from diskimage_validator.errors import EngineError, EntryNotFoundError, TargetError
from diskimage_validator.fstab import Line, parse_fstab
from diskimage_validator.image_file import ImageFile
from diskimage_validator.model import TargetInfo

ROOT_MARKS: Final = ("/etc/os-release", "/usr/lib/os-release")
FSTAB_LIMIT: Final = 1024 * 1024


class DiskEngine(Engine):
    """Read-only view of an image's root file system, with the file systems of its fstab mounted where they belong.

    An engine sets ``_volumes``, what can be mounted, and ``_types``, all file systems by libguestfs' name of them, and
    then calls ``_mount_root`` and ``_mount_fstab``. ``_mounted`` is the mount point by the name of the volume.
    """

    is_at_rest: ClassVar[bool] = True

    def __init__(self, image: ImageFile) -> None:
        super().__init__(
            TargetInfo(
                name=str(image.path),
                kind="disk-image",
                format=image.format,
                file_size=image.file_size,
                virtual_size=image.virtual_size,
            )
        )
        self._image = image
        self._volumes: tuple[Volume, ...] = ()
        self._types: dict[str, str] = {}
        self._mounted: dict[str, str] = {}

    def identity(self) -> TargetInfo:
        """Return ``target`` with the sha256 of the image, which is computed while the image is read."""
        return replace(self.target, sha256=self._image.sha256)

    @abstractmethod
    def _mount(self, volume: Volume, mountpoint: str) -> bool:
        """Mount ``volume`` read-only. Where that fails a note says so, and False is returned."""

    @abstractmethod
    def _unmount_root(self) -> None:
        """Undo the one ``_mount`` on ``/``."""

    def _is_root(self) -> bool:
        """Whether what is mounted on ``/`` holds an operating system."""
        entries = (self.stat(mark) for mark in ROOT_MARKS)
        return any(entry is not None and entry.is_file for entry in entries)

    def _mount_root(self) -> None:
        """Mount the one volume that holds an operating system; of snapshots of it, the one that boots.

        Raises TargetError if there is none, or if it cannot be told which one it is.
        """
        roots: dict[Volume, list[Line]] = {}
        mounted: Volume | None = None
        for volume in self._volumes:
            if mounted is not None:
                self._unmount_root()
            mounted = volume if self._mount(volume, "/") else None
            if mounted is not None and self._is_root():
                roots[volume] = self._fstab()
        root = choose_root(roots)
        if root is None:
            seen = ", ".join(f"{device} {kind}" for device, kind in sorted(self._types.items())) or "none"
            problem = "no file system" if not roots else f"{len(roots)} file systems"
            raise TargetError(f"{problem} in the image with an os-release file; file systems: {seen}")
        if mounted is not root:
            if mounted is not None:
                self._unmount_root()
            if not self._mount(root, "/"):
                raise EngineError(f"{root.mountable} could be mounted once, and not again")
        self._mounted[root.mountable] = "/"

    def _mount_fstab(self) -> None:
        """Mount what the image's fstab(5) mounts, if it is on this disk: /boot, for instance, may be a partition."""
        for line in sorted(self._fstab(), key=lambda line: line.mountpoint):
            volume = find_volume(line, self._volumes)
            if volume is None or volume.mountable in self._mounted or not line.mountpoint.startswith("/"):
                continue
            real = self.resolve(line.mountpoint)
            if real != "/" and self._mount(volume, real):
                self._mounted[volume.mountable] = real

    def _fstab(self) -> list[Line]:
        try:
            return list(parse_fstab(self.read("/etc/fstab", limit=FSTAB_LIMIT)))
        except EntryNotFoundError:
            return []
