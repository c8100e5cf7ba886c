"""What happens when a user types a command: which file is found on PATH, and what kind of file it is."""

import posixpath
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.elf import HEADER_SIZE, Header, parse_header
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path

PATH: Final = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""root's PATH on every distribution of the support matrix, as systemd and login.defs set it."""

MAX_NAMES: Final = 100_000
MAX_MATCHES: Final = 1_000
MAX_INTERPRETERS: Final = 4
"""Scripts that interpret scripts: Linux follows 4 (fs/exec.c)."""


@dataclass(frozen=True)
class Program:
    """A file on PATH.

    ``path``: as found; ``real``: with links resolved inside the target; ``state``: ``ok``, ``dangling`` (a link that
    leads nowhere; ``real`` is where it should lead), ``not-a-file``, ``not-executable`` or ``empty``; ``kind``,
    ``machine`` and ``interpreter``: see Header; ``interpreter_found`` is None unless it is a script. ``executes`` are
    the real paths of the ELF files that run: itself, or its interpreter, and what ``env`` as an interpreter starts.
    """

    path: str
    real: str
    state: str
    kind: str = ""
    machine: str = ""
    interpreter: str = ""
    interpreter_found: bool | None = None
    executes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Commands:
    """What was looked up, and what else there is.

    ``programs`` has every name that was asked for; None means that PATH does not have it. ``names`` are all names on
    PATH, sorted, whether or not they can be run.
    """

    programs: dict[str, Program | None]
    names: tuple[str, ...] = ()


def read_commands(engine: Engine, names: Iterable[str]) -> Commands:
    """Look up every one of ``names`` on PATH, as a shell does: the first file that may be executed wins.

    If there is none, the first entry of that name is returned, so that a check can say what is wrong with it. A name
    may be a pattern of fnmatch(3): then all that match it are looked up. Raises FactError if those are too many.
    """
    there = _names_on_path(engine)
    wanted: set[str] = set()
    for name in set(names):
        wanted.update(_matches(name, there) if is_pattern(name) else [name])
    programs = {clean_path(name): _look_up(engine, name) for name in sorted(wanted)}
    return Commands(programs, tuple(map(clean_path, there)))


def is_pattern(name: str) -> bool:
    """Whether ``name`` stands for several commands. A lone ``[`` is a command itself."""
    return name != "[" and any(char in name for char in "*?[")


def _names_on_path(engine: Engine) -> list[str]:
    found: set[str] = set()
    for folder in sorted({engine.resolve(folder) for folder in PATH}):
        entry = engine.lstat(folder)
        if entry and entry.is_dir:
            found.update(engine.listdir(folder))
    if len(found) > MAX_NAMES:
        raise FactError(f"more than {MAX_NAMES} commands on PATH")
    return sorted(found)


def _matches(pattern: str, names: Iterable[str]) -> list[str]:
    found = [name for name in names if fnmatchcase(name, pattern)]
    if len(found) > MAX_MATCHES:
        raise FactError(f"more than {MAX_MATCHES} commands match '{pattern}'", "write a narrower pattern")
    return found


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
    real, entry, found = clean_path(engine.resolve(path)), engine.stat(path), path
    path = clean_path(path)
    if entry is None:
        return Program(path, real, "dangling")
    if not entry.is_file:
        return Program(path, real, "not-a-file")
    if not entry.is_executable:
        return Program(path, real, "not-executable")
    if not entry.size:
        return Program(path, real, "empty")
    header = parse_header(engine.read(found, limit=HEADER_SIZE, whole=False))
    if header.kind != "script":
        executes = (real,) if header.kind == "elf" else ()
        return Program(path, real, "ok", header.kind, header.machine, executes=executes)
    started = list(_started(engine, header))
    return Program(
        path=path,
        real=real,
        state="ok",
        kind=header.kind,
        interpreter=f"{header.interpreter} {header.argument}" if _is_env(header) else header.interpreter,
        interpreter_found=None not in started,
        executes=tuple(clean_path(program) for program in started if program),
    )


def _started(engine: Engine, header: Header) -> Iterator[str | None]:
    """Yield the real paths of the ELF files that a script starts; None for an interpreter that cannot be started."""
    for _ in range(MAX_INTERPRETERS):
        entry = engine.stat(header.interpreter) if header.interpreter.startswith("/") else None
        if entry is None or not entry.is_executable:
            yield None
            return
        real = engine.resolve(header.interpreter)
        found = parse_header(engine.read(real, limit=HEADER_SIZE, whole=False))
        if found.kind == "elf":
            yield real
        if _is_env(header):
            yield from _started_by_env(engine, header.argument)
        if found.kind != "script":
            return
        header = found
    yield None


def _is_env(header: Header) -> bool:
    return posixpath.basename(header.interpreter) == "env"


def _started_by_env(engine: Engine, argument: str) -> Iterator[str | None]:
    """Yield what ``/usr/bin/env`` starts: the first word that is neither an option nor an assignment, from PATH."""
    words = [word for word in argument.split() if not word.startswith("-") and "=" not in word]
    if not words or "/" in words[0]:
        return
    for folder in PATH:
        path = f"{folder}/{words[0]}"
        entry = engine.stat(path)
        if entry and entry.is_executable:
            real = engine.resolve(path)
            if parse_header(engine.read(real, limit=HEADER_SIZE, whole=False)).kind == "elf":
                yield real
            return
    yield None
