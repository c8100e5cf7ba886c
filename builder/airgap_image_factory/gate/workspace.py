"""Folders for files in the making, beside where they will belong, and the step from there to their final names.

Nodepool takes every file in its folder of images whose name without the suffix is the build's for an image of that
build, and a path glob of an operator may do the same with suffixes. So nothing unfinished lies beside the images: it
lies in a folder that is hidden, and that no image can be called.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

PREFIX: Final = ".airgap-convert-"

CHECKSUMS: Final = (".md5", ".sha256")
"""The suffixes of the files beside an image that go where it goes."""


@contextmanager
def workspace(parent: Path) -> Iterator[Path]:
    """Give a new folder in ``parent``, which is gone afterwards.

    Folders of processes that were killed are removed first: whoever works in one holds a lock on it (flock(2)), which
    the kernel releases with the process. Raises OSError if ``parent`` cannot be written to.
    """
    remove_stale(parent, PREFIX, shutil.rmtree)
    folder, lock = locked_folder(parent, PREFIX)
    try:
        yield folder
    finally:
        try:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def remove_stale(parent: Path, prefix: str, remove: Callable[[Path], None]) -> None:
    """Call ``remove`` for the folders ``<prefix>*`` in ``parent`` that killed processes of our account have left."""
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError):  # another process is faster, or is at work there
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if os.fstat(lock).st_uid == os.geteuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove(folder)
            finally:
                os.close(lock)


def locked_folder(parent: Path, prefix: str) -> tuple[Path, int]:
    """Make a folder in ``parent``, and return it with the descriptor that holds its lock (flock(2))."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:  # swept between the two calls
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_nlink:
            return folder, lock
        os.close(lock)  # swept before it was locked


def put_in_place(made: Path, image: Path) -> None:
    """Give the file ``made`` and the checksums beside it the name of ``image``: the image last, others wait for it.

    The two have to be on one file system. Checksums of an older image of that name do not stay.
    """
    for suffix in CHECKSUMS:
        old, new = image.with_name(image.name + suffix), made.with_name(made.name + suffix)
        if new.exists():
            new.replace(old)
        else:
            old.unlink(missing_ok=True)
    made.replace(image)


def put_all_in_place(images: Iterable[tuple[Path, Path]]) -> None:
    """Give all images their names, or none. ``images``: where each was made and where it belongs.

    They may be computed one by one: what an image replaces is moved aside right before.
    """
    placed: list[Path] = []
    try:
        for made, place in images:
            placed.append(place)
            put_in_place(made, place)
    except BaseException:
        for place in placed:
            remove(place)
        raise


def remove(image: Path) -> None:
    """Remove an image and its checksums, if they are there."""
    for suffix in ("", *CHECKSUMS):
        image.with_name(image.name + suffix).unlink(missing_ok=True)


def move_old_aside(image: Path, now: datetime) -> Path | None:
    """Rename an ``image`` that is there, with its checksums, as diskimage-builder does (``finish_image``).

    ``node.qcow2`` becomes ``node-2026.01.31-12.00.00.qcow2``, by ``now`` in local time. Returns the new name, None if
    there was nothing to rename. diskimage-builder does not do this with ``OVERWRITE_OLD_IMAGE`` set to another number
    than 0; neither should the caller.
    """
    if not image.is_file():
        return None
    old = image.with_name(f"{image.stem}-{now:%Y.%m.%d-%H.%M.%S}{image.suffix}")
    image.rename(old)
    for suffix in CHECKSUMS:
        with suppress(FileNotFoundError):
            image.with_name(image.name + suffix).rename(old.with_name(old.name + suffix))
    return old
