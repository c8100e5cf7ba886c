"""Whether the images can fit at all, asked before the work begins.

How far a disk packs is not known before it is packed, so this is a lower bound: it refuses what cannot fit. What does
not fit all the same is found while it is written, and leaves as little.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from airgap_image_factory.errors import BuildError
from diskimage_validator.sizes import format_size

BEST_PACKING: Final = 8
"""A root file system packs to a third with zstd; none was seen below a fifth."""


def data_size(disk: Path) -> int:
    """Return how many bytes of a sparse file are data, and not holes (lseek(2), SEEK_DATA)."""
    total = position = 0
    with disk.open("rb", buffering=0) as file:
        end = os.fstat(file.fileno()).st_size
        while position < end:
            try:
                begin = os.lseek(file.fileno(), position, os.SEEK_DATA)
            except OSError:  # ENXIO: nothing but a hole is left
                break
            position = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            total += position - begin
    return total


def need_room(wanted: Iterable[tuple[Path, int]]) -> None:
    """Raise BuildError if a file system lacks room. ``wanted`` are folders and the bytes that will be written there."""
    sums: dict[int, tuple[Path, int]] = {}
    for folder, size in wanted:
        device = folder.stat().st_dev
        sums[device] = (folder, sums.get(device, (folder, 0))[1] + size)
    for folder, size in sums.values():
        free = shutil.disk_usage(folder).free
        if free < size:
            raise BuildError(
                f"no room in {folder}: {format_size(free)} free, the images need at least {format_size(size)}",
                "remove old images, or let them be written elsewhere",
            )
