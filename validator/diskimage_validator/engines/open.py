"""From what the user names to an engine that reads it. Engines are imported when they are asked for."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from diskimage_validator.engines.base import Engine
from diskimage_validator.engines.ssh.options import SCHEME, Destination, SshOptions
from diskimage_validator.errors import DeclinedError, EngineDiedError, UsageError

if TYPE_CHECKING:
    from diskimage_validator.engines.sharing import SharedAppliance

ENGINES: Final = ("auto", "direct", "directory", "guestfs", "ssh")
BOTH: Final = "both"
"""Said instead of an engine where a target's facts are read: with two, which are held against each other."""
BOOT: Final = "boot"
"""The same: the image is started, and its facts are those of the node."""

Progress = Callable[[str], None]
T = TypeVar("T")


def open_target(
    target: str,
    *,
    engine: str = "auto",
    image_format: str | None = None,
    ssh: SshOptions | None = None,
    sharing: "SharedAppliance | None" = None,
    progress: Progress | None = None,
) -> Engine:
    """Return an engine that reads ``target``; use it as a context manager.

    ``target`` is the path of a disk image, ``dir:FOLDER`` for an unpacked root, ``/`` for the running system, or
    ``ssh://user@host:port`` for a node, where ``ssh`` says how to log in. ``engine`` is one of ENGINES;
    ``image_format`` is ``qcow2`` or ``raw``, or None to detect it. ``sharing`` lends guestfs its appliances.
    ``progress`` is told what is being done, in words.
    Raises UsageError for a target or option that makes no sense, TargetError for an image that must not or cannot be
    read, EngineError if the host cannot run it.

    ``auto`` is the direct engine for an image, or guestfs if that declines now. It may also decline later, which is a
    DeclinedError then; ``read_target`` goes on for those who can begin again.
    """
    if engine not in ENGINES:
        raise UsageError(f"unknown engine {engine!r}", f"engines: {', '.join(ENGINES)}")
    scheme, separator, _ = target.partition("://")
    if scheme == SCHEME and separator:
        return _node(target, engine, ssh, progress)
    if separator:
        hint = "name a qcow2 or raw disk image, dir:FOLDER, or ssh://USER@HOST"
        raise UsageError(f"{scheme}:// targets are not supported", hint)
    if engine == SCHEME:
        raise UsageError(f"{target}: the engine {engine} reads remote nodes", "name ssh://USER@HOST, or leave it out")
    folder = target.removeprefix("dir:") if target.startswith("dir:") else target
    if folder != target or folder == "/" or engine == "directory":
        if engine not in ("auto", "directory"):
            raise UsageError(f"{target}: the engine {engine} reads disk images, not folders", "leave --engine out")
        return _directory(Path(folder), live=target == "/")
    return _open_image(Path(target), engine, image_format, sharing, progress)


def read_target(
    target: str,
    work: Callable[[Engine], T],
    *,
    engine: str = "auto",
    image_format: str | None = None,
    ssh: SshOptions | None = None,
    sharing: "SharedAppliance | None" = None,
    progress: Progress | None = None,
) -> T:
    """Return what ``work`` returns for an engine that reads ``target``. The other parameters are ``open_target``'s.

    If the engine is ``auto`` and declines in the middle of it, ``work`` is called again, with another engine. So it is,
    once, where an appliance died.
    """
    name, died = engine, False
    notes: list[str] = []
    while True:
        try:
            with open_target(
                target, engine=name, image_format=image_format, ssh=ssh, sharing=sharing, progress=progress
            ) as opened:
                opened.notes[:0] = notes
                try:
                    found = work(opened)
                    opened.confirm()
                    return found
                except DeclinedError as error:
                    if name != "auto":
                        raise _declined(error) from error
                    name, notes = "guestfs", [*notes, _note(error)]
        except EngineDiedError as error:
            if died:
                raise
            died, notes = True, [*notes, f"it was read a second time, because {error.message}"]


def _directory(folder: Path, *, live: bool) -> Engine:
    from diskimage_validator.engines.directory import DirectoryEngine

    return DirectoryEngine(folder, live=live)


def _node(target: str, engine: str, options: SshOptions | None, progress: Progress | None) -> Engine:
    if engine not in ("auto", SCHEME):
        raise UsageError(f"{target}: the engine {engine} reads no remote node", "leave --engine out")
    destination = Destination.parse(target)
    from diskimage_validator.engines.ssh.engine import SshEngine

    return SshEngine(destination, options, progress=progress)


def _open_image(
    path: Path,
    engine: str,
    image_format: str | None,
    sharing: "SharedAppliance | None",
    progress: Progress | None,
) -> Engine:
    from diskimage_validator.image_file import examine

    image = examine(path, image_format=image_format, progress=progress)
    notes: list[str] = []
    if engine in ("auto", "direct"):
        from diskimage_validator.engines.direct.engine import DirectEngine

        try:
            return DirectEngine(image, progress=progress)
        except DeclinedError as error:
            if engine == "direct":
                raise _declined(error) from error
            notes.append(_note(error))
    from diskimage_validator.engines.guestfs import GuestfsEngine

    opened = GuestfsEngine(image, sharing=sharing, progress=progress)
    opened.notes[:0] = notes
    return opened


def _declined(error: DeclinedError) -> DeclinedError:
    return DeclinedError(f"the direct engine declines: {error.message}", error.hint or "leave --engine out")


def _note(error: DeclinedError) -> str:
    return f"the direct engine declined: {error.message}"
