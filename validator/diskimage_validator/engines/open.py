"""From what the user names to an engine that reads it."""

from pathlib import Path
from typing import Final

from diskimage_validator.engines.appliance import Progress
from diskimage_validator.engines.base import Engine
from diskimage_validator.engines.guestfs import GuestfsEngine
from diskimage_validator.errors import UsageError
from diskimage_validator.image_file import examine

ENGINES: Final = ("auto", "guestfs")


def open_target(
    target: str, *, engine: str = "auto", image_format: str | None = None, progress: Progress | None = None
) -> Engine:
    """Return an engine that reads ``target``; use it as a context manager.

    ``target`` is the path of a disk image. ``engine`` is one of ENGINES; ``image_format`` is ``qcow2`` or ``raw``, or
    None to detect it. ``progress`` is told what is being done, in words. Raises UsageError for a target or option that
    makes no sense, TargetError for an image that must not or cannot be read, EngineError if the host cannot run it.
    """
    if engine not in ENGINES:
        raise UsageError(f"unknown engine {engine!r}", f"engines: {', '.join(ENGINES)}")
    scheme, separator, _ = target.partition("://")
    if separator:
        raise UsageError(f"{scheme}:// targets are not supported", "name the path of a qcow2 or raw disk image")
    return GuestfsEngine(examine(Path(target), image_format=image_format, progress=progress), progress=progress)
