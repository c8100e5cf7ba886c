"""The configuration files of container tools: found, read, and said to be fit or not."""

from collections.abc import Callable
from dataclasses import field
from typing import Any, Final, TypeVar

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import EntryNotFoundError, ValidatorError
from diskimage_validator.facts.formats.base import Malformed
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path

MAX_FILE: Final = 1024 * 1024
MAX_FILES: Final = 500
Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file. ``unreadable``: we could not read it; else the tools refuse it."""

    path: str
    line: int
    reason: str
    unreadable: bool = False


@dataclass(frozen=True)
class ConfigFile:
    """A file that is there. ``reader`` is who reads it: ``docker``, ``containers`` or ``buildkit``."""

    reader: str
    path: str


@dataclass
class ConfigFiles:
    """Reads files once and remembers which there were and what was wrong."""

    engine: Engine
    files: list[ConfigFile] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def read(self, reader: str, path: str, parse: Callable[[str], Parsed]) -> Parsed | None:
        """Return what ``parse`` makes of a file; None if it is not there or faulty."""
        try:
            entry = self.engine.stat(path)
            if entry is None or not entry.is_file:
                return None
            content = self.engine.read(path, limit=MAX_FILE)
        except ValidatorError as error:
            self.fault(path, 0, error.message, unreadable=True)
            return None
        self.files.append(ConfigFile(reader, clean_path(path)))
        try:
            return parse(content.decode())
        except UnicodeDecodeError as error:
            self.fault(path, content.count(b"\n", 0, error.start) + 1, "no UTF-8")
        except Malformed as error:
            self.fault(path, error.line, error.reason)
        return None

    def names(self, folder: str, suffix: str = "") -> list[str]:
        """Return the paths in a folder whose names end in ``suffix``, in order."""
        try:
            names = [name for name in self.engine.listdir(folder) if name.endswith(suffix)]
        except EntryNotFoundError:
            return []
        except ValidatorError as error:
            self.fault(folder, 0, error.message, unreadable=True)
            return []
        if len(names) > MAX_FILES:
            self.fault(folder, 0, f"more than {MAX_FILES} files: the rest was not read", unreadable=True)
        return [f"{folder}/{name}" for name in names[:MAX_FILES]]

    def fault(self, path: str, line: int, reason: str, *, unreadable: bool = False) -> None:
        """Note what is wrong with a file."""
        found = Fault(clean_path(path), line, clean_path(reason)[:300], unreadable)
        if found not in self.faults:
            self.faults.append(found)

    def first(self, *paths: str) -> str | None:
        """Return the first of ``paths`` that is a file."""
        for path in paths:
            try:
                entry = self.engine.stat(path)
            except ValidatorError as error:
                self.fault(path, 0, error.message, unreadable=True)
                continue
            if entry is not None and entry.is_file:
                return path
        return None


def lookup(table: dict[str, Any], key: str) -> Any:
    """Return the value of ``key`` as Go's decoders find it: exactly, or else whatever its case; None without one."""
    if key in table:
        return table[key]
    return next((value for name, value in table.items() if name.lower() == key), None)


def typed(table: dict[str, Any], key: str, kind: type[Parsed], default: Parsed, line: int) -> Parsed:
    """Return the value of ``key``, ``default`` without one. Raises Malformed if it is of another type."""
    value = lookup(table, key)
    if value is None:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        wanted = {"str": "text", "bool": "true or false", "list": "a list", "dict": "a table", "int": "a number"}
        raise Malformed(line, f"{key} has to be {wanted[kind.__name__]}")
    return value


def texts(table: dict[str, Any], key: str, line: int) -> list[str] | None:
    """Return a list of texts; None if there is no such key. Raises Malformed for anything else."""
    if lookup(table, key) is None:
        return None
    values: list[Any] = typed(table, key, list, [], line)
    if not all(isinstance(value, str) for value in values):
        raise Malformed(line, f"{key} has to be a list of texts")
    return values
