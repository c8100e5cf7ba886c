"""From what the user names to an engine that reads it."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.engines.directory import DirectoryEngine
from diskimage_validator.errors import UsageError
from diskimage_validator.image_file import examine

Progress = Callable[[str], None]
ENGINES: Final = ("auto", "directory", "guestfs")


def open_target(
    target: str, *, engine: str = "auto", image_format: str | None = None, progress: Progress | None = None
) -> Engine:
    """Return an engine that reads ``target``; use it as a context manager.

    ``target`` is the path of a disk image, ``dir:FOLDER`` for an unpacked root, or ``/``.
    ``engine`` is one of ENGINES; ``image_format`` is ``qcow2`` or ``raw``, or None to detect it. ``progress`` is told
    what is being done, in words. Raises UsageError for a target or option that makes no sense, TargetError for an image
    that must not or cannot be read, EngineError if the host cannot run it.
    """
    if engine not in ENGINES:
        raise UsageError(f"unknown engine {engine!r}", f"engines: {', '.join(ENGINES)}")
    scheme, separator, _ = target.partition("://")
    if separator:
        raise UsageError(f"{scheme}:// targets are not supported", "name a qcow2 or raw disk image, or dir:FOLDER")
    folder = target.removeprefix("dir:") if target.startswith("dir:") else target
    if folder != target or folder == "/" or engine == "directory":
        if engine not in ("auto", "directory"):
            raise UsageError(f"{target}: the engine {engine} reads disk images, not folders", "leave --engine out")
        return DirectoryEngine(Path(folder))
    from diskimage_validator.engines.guestfs import GuestfsEngine

    return GuestfsEngine(examine(Path(target), image_format=image_format, progress=progress), progress=progress)
