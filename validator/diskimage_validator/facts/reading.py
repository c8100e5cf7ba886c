"""Read one file of many: what cannot be read is kept beside the rest, so that it neither hides it nor goes unseen."""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.engines.base import Engine, Stat
from diskimage_validator.errors import EntryNotFoundError, ValidatorError
from diskimage_validator.facts.base import FactError
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path, decode

SMALL: Final = 256 * 1024
"""Bytes that a configuration file has at most to be read."""
MAX_HOMES: Final = 1_000
_NO_HOMES: Final = ("/bin", "/dev", "/etc", "/nonexistent", "/proc", "/run", "/sbin", "/sys", "/usr", "/boot")


@dataclass(frozen=True)
class Problem:
    """A file or folder that is there and could not be read. ``reason`` is a sentence."""

    path: str
    reason: str


@dataclass(frozen=True)
class Sized:
    """A file and its size in bytes."""

    path: str
    size: int


def read_one(engine: Engine, path: str, *, limit: int = SMALL, whole: bool = True) -> bytes | Problem | None:
    """Return the content of the file that ``path`` leads to, None if there is none, a Problem if it cannot be read."""
    try:
        return engine.read(path, limit=limit, whole=whole)
    except EntryNotFoundError:
        return None
    except ValidatorError as error:
        return Problem(clean_path(path), clean_path(error.message))


def names_in(engine: Engine, folder: str) -> list[str]:
    """Return the names in ``folder``, none if there is no such folder. Raises what the engine raises otherwise."""
    try:
        return engine.listdir(folder)
    except EntryNotFoundError:
        return []


def entries_below(engine: Engine, folder: str, limit: int) -> Iterator[tuple[str, Stat]]:
    """Yield what is below ``folder``, nothing if there is no such folder. Raises FactError if there is too much."""
    entry = engine.stat(folder)
    if entry is None or not entry.is_dir:
        return
    for count, found in enumerate(engine.walk(folder)):
        if count == limit:
            raise FactError(f"more than {limit} files and folders below {folder}")
        yield found


def home_folders(engine: Engine) -> tuple[str, ...]:
    """Return /root, the folders in /home, and the homes that passwd(5) names if nothing else belongs there.

    Raises FactError if there are too many, and what the engine raises for /etc/passwd.
    """
    found = {"/root", *(f"/home/{name}" for name in names_in(engine, "/home"))}
    data = read_one(engine, "/etc/passwd", limit=4 * 1024 * 1024)
    if isinstance(data, Problem):
        raise FactError(data.reason)
    for line in decode(data or b"").split("\n"):
        home = "/" + line.split(":")[5].strip("/") if line.count(":") == 6 else "/"
        if home != "/" and not any(f"{home}/".startswith(f"{other}/") for other in _NO_HOMES):
            found.add(home)
    if len(found) > MAX_HOMES:
        raise FactError(f"more than {MAX_HOMES} home folders")
    folders = {home: engine.stat(home) for home in sorted(found)}
    return tuple(home for home, entry in folders.items() if entry is not None and entry.is_dir)
