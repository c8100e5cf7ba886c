"""From what the user names to an engine that reads it."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.engines.directory import DirectoryEngine
from diskimage_validator.engines.ssh.options import FORM, SCHEME, Destination, SshOptions
from diskimage_validator.errors import UsageError
from diskimage_validator.image_file import examine

Progress = Callable[[str], None]
ENGINES: Final = ("auto", "boot", "directory", "guestfs", "ssh")


def open_target(
    target: str,
    *,
    engine: str = "auto",
    image_format: str | None = None,
    ssh: SshOptions | None = None,
    progress: Progress | None = None,
) -> Engine:
    """Return an engine that reads ``target``; use it as a context manager.

    ``target`` is the path of a disk image, ``dir:FOLDER`` for an unpacked root, ``/`` for the running system, or
    ``ssh://user@host:port`` for a node, where ``ssh`` says how to log in. ``engine`` is one of ENGINES;
    ``image_format`` is ``qcow2`` or ``raw``, or None to detect it. ``progress`` is told what is being done, in words.
    Raises UsageError for a target or option that makes no sense, TargetError for an image
    that must not or cannot be read, EngineError if the host cannot run it.
    """
    if engine not in ENGINES:
        raise UsageError(f"unknown engine {engine!r}", f"engines: {', '.join(ENGINES)}")
    if engine == "boot":
        raise UsageError("only validate and inspect boot an image", "leave --engine out")
    scheme, separator, _ = target.partition("://")
    if separator and scheme == SCHEME:
        if engine not in ("auto", SCHEME):
            raise UsageError(f"the engine {engine} reads no remote node", "leave --engine out")
        return _open_node(target, ssh, progress)
    if separator or engine == SCHEME:
        wrong = f"{scheme}:// targets are not supported" if separator else f"{target}: no node; {FORM}"
        raise UsageError(wrong, "name a qcow2 or raw disk image, dir:FOLDER, or ssh://USER@HOST")
    folder = target.removeprefix("dir:") if target.startswith("dir:") else target
    if folder != target or folder == "/" or engine == "directory":
        if engine not in ("auto", "directory"):
            raise UsageError(f"{target}: the engine {engine} reads disk images, not folders", "leave --engine out")
        return DirectoryEngine(Path(folder), live=target == "/")
    from diskimage_validator.engines.guestfs import GuestfsEngine

    return GuestfsEngine(examine(Path(target), image_format=image_format, progress=progress), progress=progress)


def _open_node(target: str, options: SshOptions | None, progress: Progress | None) -> Engine:
    destination = Destination.parse(target)
    # The SSH library takes a third of a second to load, which no image has to wait for.
    from diskimage_validator.engines.ssh.engine import SshEngine

    return SshEngine(destination, options, progress=progress)
