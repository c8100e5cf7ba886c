"""One appliance for several images, where a user asks for it: what its start costs is paid once.

The price is isolation. A file system that takes the appliance's kernel over answers for every image that is read there
after it. So this is for images of one origin; the way without is an appliance for each.

An image is read from a shared appliance once, and only where nothing of it can be mixed up with another's: copies of a
volume group or a btrfs have the same UUIDs, by which the kernel tells them apart. What is read again, because the
appliance died or for any other reason, gets one of its own, and those after it a new one to share.
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from diskimage_validator.engines.appliance import Progress
from diskimage_validator.engines.appliance_disk import Appliance, ApplianceDisk
from diskimage_validator.engines.guestfs_layout import Layout
from diskimage_validator.errors import EngineError, ValidatorError
from diskimage_validator.image_file import ImageFile, examine

MAX_IMAGES: Final = 8
"""In one appliance: every disk costs its start some tenths of a second, and each is in the hands of those before it."""
UNMISTAKABLE: Final = frozenset({"ext2", "ext3", "ext4", "xfs", "vfat", "swap", "unknown"})
"""Types of what may be on a disk that shares an appliance: it is mounted by its device, and by nothing else."""

_State = tuple[int, int, int, int]


class SharedAppliance:
    """Lends the disks of ``targets``, which are read in this order. Use it as a context manager.

    ``image_format`` is that of ``open_target``. What is no image is left out, and what must not be read.
    """

    def __init__(self, targets: Sequence[str], *, image_format: str | None = None) -> None:
        self._coming = list(dict.fromkeys(targets))
        self._image_format = image_format
        self._appliance: Appliance | None = None
        self._disks: dict[Path, tuple[int, _State | None]] = {}
        self._lent: set[Path] = set()
        self._failed = False

    def __enter__(self) -> "SharedAppliance":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def lend(self, image: ImageFile, progress: Progress | None = None) -> ApplianceDisk | None:
        """Return the disk of ``image``; None if it has to have an appliance of its own."""
        if image.path in self._lent or self._failed:
            return None
        self._lent.add(image.path)
        if self._appliance is None or not self._appliance.is_alive or image.path not in self._disks:
            self.close()
            self._start(image, progress)
        number, state = self._disks.get(image.path, (0, None))
        if self._appliance is None or state != _state(image.path):
            return None
        return self._appliance.disk(number, self._take_back)

    def close(self) -> None:
        """End the appliance. Calling it twice is harmless."""
        appliance, self._appliance = self._appliance, None
        self._disks = {}
        if appliance is not None:
            appliance.close()

    def _start(self, first: ImageFile, progress: Progress | None) -> None:
        """Start an appliance for ``first`` and what comes after it, unless ``first`` is the last."""
        images = [first, *self._next(MAX_IMAGES - 1)]
        if len(images) < 2:
            return
        states = [_state(image.path) for image in images]
        try:
            self._appliance = Appliance(images, progress=progress)
        except EngineError:
            self._failed = True  # because of one of them, perhaps: alone, each tells for itself
            return
        self._disks = {
            image.path: (number, state) for number, (image, state) in enumerate(zip(images, states, strict=True))
        }

    def _next(self, count: int) -> list[ImageFile]:
        found: list[ImageFile] = []
        for target in self._coming:
            if len(found) == count:
                break
            try:
                image = examine(Path(target), image_format=self._image_format)
            except ValidatorError:
                continue  # it is told when it is this one's turn
            image.digest.stop()  # the file is looked at again then
            if image.path not in self._lent and image not in found:
                found.append(image)
        return found

    def _take_back(self) -> None:
        """Make the appliance ready for the next image, or end it."""
        try:
            if self._appliance is not None:
                self._appliance.unmount()
        except RuntimeError:
            self.close()


def is_unmistakable(layout: Layout | None) -> bool:
    """Whether a disk may be read beside others."""
    return layout is not None and UNMISTAKABLE.issuperset(layout.types.values())


def _state(path: Path) -> _State | None:
    """Return what tells that a file is the one it was, None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
