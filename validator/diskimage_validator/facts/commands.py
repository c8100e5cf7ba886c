"""What happens when a user types a command: which file is found on PATH, and what kind of file it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.elf import HEADER_SIZE, parse_header
from diskimage_validator.printable import clean_path

PATH: Final = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""root's PATH on every distribution of the support matrix, as systemd and login.defs set it."""


@dataclass(frozen=True)
class Program:
    """A file on PATH.

    ``path``: as found; ``real``: with links resolved inside the target; ``state``: ``ok``, ``dangling`` (a link that
    leads nowhere; ``real`` is where it should lead), ``not-a-file``, ``not-executable`` or ``empty``; ``kind``,
    ``machine`` and ``interpreter``: see Header; ``interpreter_found`` is None unless it is a script.
    """

    path: str
    real: str
    state: str
    kind: str = ""
    machine: str = ""
    interpreter: str = ""
    interpreter_found: bool | None = None


@dataclass(frozen=True)
class Commands:
    """What was looked up. ``programs`` has every name that was asked for; None means that PATH does not have it."""

    programs: dict[str, Program | None]


def read_commands(engine: Engine, names: Iterable[str]) -> Commands:
    """Look up every one of ``names`` on PATH, as a shell does: the first file that may be executed wins.

    If there is none, the first entry of that name is returned, so that a check can say what is wrong with it.
    """
    return Commands({name: _look_up(engine, name) for name in sorted(set(names))})


def _look_up(engine: Engine, name: str) -> Program | None:
    second_best: Program | None = None
    for folder in PATH:
        path = f"{folder}/{name}"
        if engine.lstat(path) is None:
            continue
        program = read_program(engine, path)
        if program.state in ("ok", "empty"):
            return program
        second_best = second_best or program
    return second_best


def read_program(engine: Engine, path: str) -> Program:
    """Return what ``path``, which exists at least as a link, is. See Program."""
    real = clean_path(engine.resolve(path))
    entry = engine.stat(path)
    if entry is None:
        return Program(path, real, "dangling")
    if not entry.is_file:
        return Program(path, real, "not-a-file")
    if not entry.is_executable:
        return Program(path, real, "not-executable")
    if not entry.size:
        return Program(path, real, "empty")
    header = parse_header(engine.read(path, limit=HEADER_SIZE, whole=False))
    found = None
    if header.kind == "script":
        interpreter = engine.stat(header.interpreter) if header.interpreter.startswith("/") else None
        found = interpreter is not None and interpreter.is_executable
    return Program(path, real, "ok", header.kind, header.machine, header.interpreter, found)
