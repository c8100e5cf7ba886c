"""Whether the dynamic loader would find every library that the looked-up commands need, inside the target.

Nothing of the target is executed, so no ldd(1): the ELF files are parsed, and the search is that of ld.so(8) or musl's.
Environment variables, capabilities of the processor and what a program opens by itself (dlopen) play no part.
"""

import posixpath
from collections import deque
from collections.abc import Iterator
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.base import FactError, Unreadable, known
from diskimage_validator.facts.commands import Commands
from diskimage_validator.facts.elf_dynamic import DamagedElfError, Dynamic, parse_dynamic
from diskimage_validator.facts.library_paths import Search, expand, glibc_search, musl_search
from diskimage_validator.facts.streams import open_stream
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path

MAX_LIBRARIES: Final = 500
"""Of one program. The largest desktop applications have about 300."""
MAX_FILES: Final = 1_000
"""Programs and libraries of one target; those of a policy's commands are some hundred."""
MAX_LOOKUPS: Final = 50_000
"""Places looked at in one target, so that no tangle of run paths costs much time."""


@dataclass(frozen=True)
class Missing:
    """Library ``name`` that ``needed_by``, a path, asks for. ``reason``: why a file that is there will not do."""

    name: str
    needed_by: str
    reason: str = ""


@dataclass(frozen=True)
class Linkage:
    """What one ELF program needs.

    ``interpreter``: the loader, empty for a static program; ``interpreter_fault``: why it cannot load, else empty;
    ``libraries``: the number of those found; ``damaged``: why the kernel would refuse the program, else empty;
    ``unreadable``: why we could not tell, else empty.
    """

    interpreter: str = ""
    interpreter_fault: str = ""
    libraries: int = 0
    missing: tuple[Missing, ...] = ()
    damaged: str = ""
    unreadable: str = ""


@dataclass(frozen=True)
class Libraries:
    """By real path, all ELF programs that the looked-up commands execute (see Program)."""

    programs: dict[str, Linkage]


@dataclass(frozen=True)
class _Object:
    """A loaded ELF file: ``path`` as the loader found it, and the one that asked for it."""

    path: str
    dynamic: Dynamic
    loader: "_Object | None" = None

    def chain(self) -> Iterator["_Object"]:
        """Yield this object, the one that asked for it, and so on up to the program."""
        current: _Object | None = self
        while current:
            yield current
            current = current.loader


def read_libraries(engine: Engine, commands: Commands | Unreadable) -> Libraries:
    """Return what the programs behind ``commands`` need. Never raises for one odd program: see Linkage."""
    files = _Files(engine)
    programs = {path for program in known(commands).programs.values() if program for path in program.executes}
    return Libraries({path: _linkage(files, path) for path in sorted(programs)})


class _Files:
    """The ELF files of the target, each parsed once; stops at a limit of files and of paths looked up."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._parsed: dict[str, Dynamic | FactError] = {}
        self._real: dict[str, str | None] = {}
        self._lookups = 0
        self._searches: dict[str, Search] = {}

    def real(self, path: str) -> str | None:
        """Return the real path of the regular file that ``path`` leads to, or None."""
        self._lookups += 1
        if self._lookups > MAX_LOOKUPS:
            raise FactError(f"more than {MAX_LOOKUPS} places to look for libraries")
        if path not in self._real:
            self._real[path] = self._look(path)
        return self._real[path]

    def _look(self, path: str) -> str | None:
        try:
            real = self.engine.resolve(path)
        except ValidatorError:  # a loop of links: open(2) fails, and the loader goes on
            return None
        entry = self.engine.lstat(real)
        return real if entry and entry.is_file else None

    def dynamic(self, real: str) -> Dynamic:
        """Return what the file asks for. Raises FactError (see ``parse_dynamic``)."""
        if real not in self._parsed:
            if len(self._parsed) == MAX_FILES:
                raise FactError(f"more than {MAX_FILES} programs and libraries")
            try:
                with open_stream(self.engine, real) as stream:
                    self._parsed[real] = parse_dynamic(stream)
            except FactError as error:
                self._parsed[real] = error
        found = self._parsed[real]
        if isinstance(found, FactError):
            raise found
        return found

    def search(self, interpreter: str, machine: str) -> Search:
        """Return where the loader ``interpreter`` looks."""
        if interpreter not in self._searches:
            make = musl_search if posixpath.basename(interpreter).startswith("ld-musl-") else glibc_search
            self._searches[interpreter] = make(self.engine, machine)
        return self._searches[interpreter]


def _linkage(files: _Files, program: str) -> Linkage:
    try:
        dynamic = files.dynamic(program)
        if not dynamic.interpreter:
            return Linkage()
        fault = _interpreter_fault(files, dynamic)
        found, missing = _load(files, _Object(program, dynamic), files.search(dynamic.interpreter, dynamic.machine))
        return Linkage(clean_path(dynamic.interpreter), fault, found, tuple(missing))
    except DamagedElfError as error:
        return Linkage(damaged=clean_path(error.message))
    except ValidatorError as error:
        return Linkage(unreadable=clean_path(error.message))


def _interpreter_fault(files: _Files, program: Dynamic) -> str:
    real = files.real(program.interpreter) if program.interpreter.startswith("/") else None
    entry = files.engine.lstat(real) if real else None
    if real is None or entry is None:
        return "is not there"
    if not entry.is_executable:
        return "is not executable"
    try:
        machine = files.dynamic(real).machine
    except DamagedElfError as error:
        return f"cannot be loaded: {error.message}"
    return "" if machine == program.machine else f"is made for {machine}, not for {program.machine}"


def _load(files: _Files, program: _Object, search: Search) -> tuple[int, list[Missing]]:
    """Load as the loader does, breadth first; a name that is loaded already is not searched again."""
    loaded = {posixpath.basename(program.dynamic.interpreter)}
    missing: dict[str, Missing] = {}
    count = 0
    pending = deque([program])
    while pending:
        current = pending.popleft()
        for name in current.dynamic.needed:
            if name in loaded or name in missing or search.is_builtin(name):
                continue
            found, reason = _find(files, name, current, search)
            if found is None:
                missing[name] = Missing(clean_path(name), clean_path(current.path), clean_path(reason))
                if len(missing) == MAX_LIBRARIES:
                    raise FactError(f"more than {MAX_LIBRARIES} libraries are missing")
                continue
            count += 1
            if count > MAX_LIBRARIES:
                raise FactError(f"more than {MAX_LIBRARIES} libraries are needed")
            loaded.update((name, found.dynamic.soname))
            pending.append(found)
    return count, list(missing.values())


def _find(files: _Files, name: str, current: _Object, search: Search) -> tuple[_Object | None, str]:
    """Return the library, or None and why the first file of that name will not do (empty: there is none).

    The loader passes over a library for another machine and stops at a damaged one.
    """
    reason = ""
    for path in _candidates(name, current, search):
        real = files.real(path)
        if real is None:
            continue
        try:
            dynamic = files.dynamic(real)
        except DamagedElfError as error:
            return None, f"{path} cannot be loaded: {error.message}"
        if dynamic.machine == current.dynamic.machine:
            return _Object(path, dynamic, current), ""
        reason = reason or f"{path} is made for {dynamic.machine}"
    return None, reason


def _candidates(name: str, current: _Object, search: Search) -> Iterator[str]:
    if "/" in name:
        if name.startswith("/"):  # one relative to the current folder is found by accident only
            yield name
        return
    for holder, folder in _run_paths(current, search):
        for expanded in expand(folder, posixpath.dirname(holder.path), current.dynamic.machine):
            if expanded.startswith("/"):
                yield posixpath.join(expanded, name)
    yield from search.candidates(name)


def _run_paths(current: _Object, search: Search) -> Iterator[tuple[_Object, str]]:
    """Yield (object that says so, folder): RPATH of all in the chain, unless RUNPATH overrides it, then RUNPATH."""
    if search.inherits_runpath:
        for holder in current.chain():
            yield from ((holder, folder) for folder in holder.dynamic.runpath or holder.dynamic.rpath)
        return
    if not current.dynamic.runpath:
        for holder in current.chain():
            if not holder.dynamic.runpath:
                yield from ((holder, folder) for folder in holder.dynamic.rpath)
    yield from ((current, folder) for folder in current.dynamic.runpath)
