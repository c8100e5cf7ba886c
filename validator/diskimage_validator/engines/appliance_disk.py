"""A running appliance, and the disk in it that an image became."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any, Final

from diskimage_validator.engines import overlay
from diskimage_validator.engines.appliance import Progress, launch
from diskimage_validator.engines.overlay import Overlay
from diskimage_validator.image_file import ImageFile

MAX_DISKS: Final = len(ascii_lowercase)


@dataclass(frozen=True)
class ApplianceDisk:
    """One disk of the appliance behind ``handle``. ``release`` is called by who has it, once, at the end.

    ``device`` is libguestfs' name of it; ``label`` its name below /dev/disk/guestfs in the appliance, where the kernel
    may call it otherwise. ``sector`` is in bytes.
    """

    handle: Any
    device: str
    label: str
    sector: int
    notes: tuple[str, ...]
    release: Callable[[], None]


class Appliance:
    """A libguestfs appliance with the disks of ``images``, MAX_DISKS at most, each on a throw-away overlay."""

    def __init__(self, images: Sequence[ImageFile], *, progress: Progress | None = None) -> None:
        """Start it. Raises EngineError if it does not start."""
        self._overlays: list[Overlay] = []
        self._sectors: list[int] = []
        self._handle: Any = None
        with ExitStack() as undo:
            undo.callback(self.close)
            for image in images:
                self._overlays.append(Overlay(image))
                self._sectors.append(self._overlays[-1].sector_size())
            self._handle, self._notes = launch(self._add_drives, progress=progress)
            self._handle.set_autosync(False)  # nothing was written that anybody will read
            undo.pop_all()

    def _add_drives(self, handle: Any) -> None:
        for number, (file, sector) in enumerate(zip(self._overlays, self._sectors, strict=True)):
            handle.add_drive_opts(str(file.path), format=overlay.FORMAT, blocksize=sector, label=_label(number))

    @property
    def is_alive(self) -> bool:
        """Whether it answers."""
        return self._handle is not None and bool(self._handle.is_ready())

    def disk(self, number: int, release: Callable[[], None]) -> ApplianceDisk:
        """Return the disk of the image with that ``number`` in the constructor's ``images``."""
        device = f"/dev/sd{ascii_lowercase[number]}"
        return ApplianceDisk(self._handle, device, _label(number), self._sectors[number], tuple(self._notes), release)

    def unmount(self) -> None:
        """Unmount everything. Raises RuntimeError, as libguestfs does, if something stays."""
        self._handle.umount_all()

    def close(self) -> None:
        """End it and remove the overlays. Calling it twice is harmless."""
        handle, self._handle = self._handle, None
        try:
            if handle is not None:
                handle.close()
        finally:
            for file in self._overlays:
                file.close()


def _label(number: int) -> str:
    """Return what libguestfs takes for a label: up to twenty ASCII letters."""
    return f"image{ascii_lowercase[number]}"
