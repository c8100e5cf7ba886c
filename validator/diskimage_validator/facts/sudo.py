"""Who may become root with sudo: sudoers(5) with everything that it includes, resolved inside the target.

sudo itself refuses files that others may write; what it refuses is read none the less and marked, so that a check can
name it. Rules from LDAP or other sources are out of reach.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import field
from typing import Final

from diskimage_validator.engines.base import Engine, Stat
from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.sudoers_text import (
    LogicalLine,
    Rule,
    SyntaxProblem,
    logical_lines,
    members,
    parse_alias,
    parse_rules,
    split,
)
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path, decode

PATHS: Final = ("/etc/sudoers", "/usr/etc/sudoers")
READ_LIMIT: Final = 1024 * 1024
MAX_BYTES: Final = 4 * READ_LIMIT
"""Of all files; one that is included twice counts twice."""
MAX_FILES: Final = 1_000
MAX_RULES: Final = 20_000
MAX_DEPTH: Final = 128
"""sudo's own limit for includes."""
# Possessive, because a backslash fits two ways: trying all of them for what is no include would never end.
_INCLUDE: Final = re.compile(r'[@#](include|includedir)\s+(?:"([^"]+)"|((?:\\.|\S)++))\s*')
_DEFAULTS: Final = re.compile(r"Defaults(?:([@:!>])\s*((?:\"[^\"]*\"|\\.|[^\s,]|,\s*)++))?(?:\s+(.*))?")


@dataclass(frozen=True)
class SudoersFile:
    """A file that sudo looks at; ``mode``: permission bits. ``refused`` is why sudo does not read it, or empty."""

    path: str
    mode: int
    uid: int
    gid: int
    refused: str = ""


@dataclass(frozen=True)
class Default:
    """One parameter of a Defaults line, without its value. ``scope``: one of ``@:!>`` or empty; ``names``: for whom."""

    scope: str
    names: tuple[str, ...]
    name: str
    negated: bool
    path: str
    line: int


@dataclass(frozen=True)
class SudoProblem:
    """Something that sudo complains about: a line it cannot parse, a file it cannot find."""

    path: str
    line: int
    reason: str


@dataclass(frozen=True)
class Sudo:
    """sudo's configuration in the order in which it is read.

    ``aliases`` map kind and name, ``user:ADMINS``, to members. ``ignored`` are files in an included folder that sudo
    passes over because of their names; ``unreadable`` what could not be read, with the reason.
    """

    path: str
    files: tuple[SudoersFile, ...]
    rules: tuple[Rule, ...]
    aliases: dict[str, tuple[str, ...]]
    defaults: tuple[Default, ...]
    ignored: tuple[str, ...]
    problems: tuple[SudoProblem, ...]
    unreadable: tuple[SudoProblem, ...]


def read_sudo(engine: Engine) -> Sudo | None:
    """Return what the target's sudoers says, None if there is none. Raises FactError if there is too much of it."""
    path = next((path for path in PATHS if engine.lstat(path) is not None), None)
    if path is None:
        return None
    reader = _Reader(engine)
    reader.file(path, SudoProblem(path, 0, ""), 0)
    return Sudo(
        path,
        tuple(reader.files),
        tuple(reader.rules),
        reader.aliases,
        tuple(reader.defaults),
        tuple(reader.ignored),
        tuple(reader.problems),
        tuple(reader.unreadable),
    )


def refusal(entry: Stat) -> str:
    """Return why sudo does not read a file or folder: sudoers(5), on owner and mode; empty if it does."""
    if entry.uid != 0:
        return f"it belongs to uid {entry.uid}, not to root"
    if entry.mode & 0o002:
        return "everybody may write it"
    if entry.mode & 0o020 and entry.gid != 0:
        return f"gid {entry.gid} may write it"
    return ""


@dataclass
class _Reader:
    """Reads a file and everything that it includes, in order."""

    engine: Engine
    files: list[SudoersFile] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    defaults: list[Default] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    problems: list[SudoProblem] = field(default_factory=list)
    unreadable: list[SudoProblem] = field(default_factory=list)
    left: int = MAX_BYTES

    def file(self, path: str, source: SudoProblem, depth: int) -> None:
        """Read one file. ``source`` is the line that asked for it."""
        if len(self.files) >= MAX_FILES or len(self.rules) > MAX_RULES:
            raise FactError(f"sudo's configuration has more than {MAX_FILES} files or {MAX_RULES} rules")
        try:
            entry = self.engine.stat(path)
            if entry is None or not entry.is_file:
                reason = f"{clean_path(path)} is not there" if entry is None else f"{clean_path(path)} is no file"
                self.problems.append(SudoProblem(source.path or path, source.line, reason))
                return
            data = self.engine.read(path, limit=READ_LIMIT)
        except ValidatorError as error:
            self.unreadable.append(SudoProblem(clean_path(path), 0, clean_path(error.message)))
            return
        self.left -= len(data)
        if self.left < 0:
            raise FactError(f"sudo's configuration has more than {MAX_BYTES} bytes")
        name, refused = clean_path(path), refusal(entry)
        self.files.append(SudoersFile(name, entry.mode & 0o7777, entry.uid, entry.gid, refused))
        for line in logical_lines(decode(data)) if not refused else ():
            self._line(line, path, depth)

    def _line(self, line: LogicalLine, path: str, depth: int) -> None:
        name = clean_path(path)
        try:
            if match := _INCLUDE.fullmatch(line.text):
                self._include(match, SudoProblem(name, line.line, ""), path, depth)
            elif line.text.startswith("Defaults"):
                self.defaults.extend(_defaults(line, name))
            elif alias := parse_alias(line.text):
                for alias_name, found in alias[1]:
                    self.aliases.setdefault(f"{alias[0]}:{alias_name}", found)
            else:
                self.rules.extend(parse_rules(line.text, name, line.line))
        except SyntaxProblem as problem:
            self.problems.append(SudoProblem(name, line.line, str(problem)))

    def _include(self, match: re.Match[str], source: SudoProblem, path: str, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise SyntaxProblem("too many levels of includes")
        written = match[2] or re.sub(r"\\(.)", r"\1", match[3])
        target = posixpath.join(posixpath.dirname(path), written)
        if match[1] == "include":
            self.file(target, source, depth + 1)
            return
        for name in self._folder(target):
            inner = posixpath.join(target, name)
            if "." in name or name.endswith("~"):
                self.ignored.append(clean_path(inner))
            elif (entry := self.engine.stat(inner)) and entry.is_file:
                self.file(inner, source, depth + 1)

    def _folder(self, path: str) -> list[str]:
        """Return the names in an included folder, none if sudo does not go there."""
        entry = self.engine.stat(path)
        if entry is None or not entry.is_dir:  # sudo takes a folder that is not there for an empty one
            return []
        if refused := refusal(entry):
            self.files.append(SudoersFile(clean_path(path), entry.mode & 0o7777, entry.uid, entry.gid, refused))
            return []
        return self.engine.listdir(path)


def _defaults(line: LogicalLine, path: str) -> Iterator[Default]:
    match = _DEFAULTS.fullmatch(line.text)
    if match is None or not match[3]:
        raise SyntaxProblem("Defaults without a parameter")
    names = members(match[2]) if match[2] and match[1] != "!" else ()
    for part in split(match[3], ","):
        word = part.strip()
        name = re.match(r"(!*)\s*([a-z_]+)\s*(?:[-+]?=.*)?", word, re.DOTALL)
        if name is None or name.end() != len(word):
            raise SyntaxProblem("a parameter of Defaults is wanted")
        yield Default(match[1] or "", names, name[2], len(name[1]) % 2 == 1, path, line.line)
