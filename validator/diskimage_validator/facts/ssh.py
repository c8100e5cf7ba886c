"""What sshd would do: its settings after all includes, and whose keys it accepts: sshd_config(5), sshd(8).

Of several values of a keyword the first one counts. A Match block holds to the end of its file; what it sets is kept
apart with its condition, but for ``Match all``, which is always true: as any block that matches, it overrides what is
set outside.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import field, replace
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.accounts import Accounts, User
from diskimage_validator.facts.authorized_keys import AuthorizedKey, BadKeyLine, parse_authorized_keys
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.sshd_text import DEFAULTS, DEPRECATED, IN_MATCH, LISTS, BadLineError, fault, parse_line
from diskimage_validator.frozen import dataclass
from diskimage_validator.globs import name_matches
from diskimage_validator.printable import clean_path, decode

PATHS: Final = ("/etc/ssh/sshd_config", "/usr/etc/ssh/sshd_config")
INCLUDES_BELOW: Final = "/etc/ssh"
READ_LIMIT: Final = 1024 * 1024
MAX_BYTES: Final = 4 * READ_LIMIT
"""Of all files; one that is included twice counts twice."""
MAX_DEPTH: Final = 16
"""sshd's own limit for includes."""
MAX_FILES: Final = 1_000
MAX_KEY_FILES: Final = 10_000
PATH_MAX: Final = 4096
"""Bytes of a path: linux/limits.h."""
_TOKEN: Final = re.compile("%[%huU]")


@dataclass(frozen=True)
class Setting:
    """A setting and the line that made it. ``match`` is the condition of its Match block, empty outside of one."""

    keyword: str
    value: str
    path: str
    line: int
    match: str = ""


@dataclass(frozen=True)
class SshProblem:
    """A line that sshd does not accept, or a file that could not be read (line 0)."""

    path: str
    line: int
    reason: str


@dataclass(frozen=True)
class KeyFile:
    """A file with a user's authorized keys. ``refused``: why sshd does not use it (StrictModes), empty if it does."""

    user: str
    path: str
    keys: tuple[AuthorizedKey, ...]
    bad_lines: tuple[BadKeyLine, ...]
    refused: str = ""
    unreadable: str = ""


@dataclass(frozen=True)
class Ssh:
    """``path`` is the main file, ``settings`` the effective ones by keyword in lower case, without defaults.

    ``conditional`` are those of Match blocks, ``problems`` what keeps sshd from starting, ``unreadable`` what could not
    be read.
    """

    path: str
    settings: dict[str, Setting]
    conditional: tuple[Setting, ...]
    problems: tuple[SshProblem, ...]
    unreadable: tuple[SshProblem, ...]
    key_files: tuple[KeyFile, ...]

    def value(self, keyword: str) -> str | None:
        """Return the effective value of a keyword, where no file sets it OpenSSH's default; None if not known."""
        setting = self.settings.get(keyword.lower())
        return setting.value if setting else DEFAULTS.get(keyword.lower())


def read_ssh(engine: Engine, accounts: Accounts) -> Ssh | None:
    """Return what the target's sshd would do for ``accounts``, None if it has no configuration."""
    path = next((path for path in PATHS if engine.lstat(path) is not None), None)
    if path is None:
        return None
    reader = SshdReader(engine)
    reader.file(path, "", 0)
    patterns = reader.effective.get("authorizedkeysfile")
    strict = reader.effective.get("strictmodes")
    return Ssh(
        path,
        reader.effective,
        tuple(reader.conditional),
        tuple(reader.problems),
        tuple(reader.unreadable),
        tuple(
            _key_files(
                engine,
                accounts,
                (patterns.value if patterns else DEFAULTS["authorizedkeysfile"]).split(),
                strict=strict is None or strict.value.lower() != "no",
            )
        ),
    )


@dataclass
class SshdReader:
    """Reads a configuration and everything that it includes, in order."""

    engine: Engine
    settings: dict[str, Setting] = field(default_factory=dict)
    conditional: list[Setting] = field(default_factory=list)
    problems: list[SshProblem] = field(default_factory=list)
    unreadable: list[SshProblem] = field(default_factory=list)
    files: int = 0
    left: int = MAX_BYTES
    overriding: dict[str, Setting] = field(default_factory=dict)

    @property
    def effective(self) -> dict[str, Setting]:
        """The settings that hold without any condition."""
        return {**self.settings, **self.overriding}

    def file(self, path: str, match: str, depth: int, *, always: bool = False) -> None:
        """Read one file; ``match`` is the condition under which it is included, ``always``: within ``Match all``."""
        self.files += 1
        if self.files > MAX_FILES:
            raise FactError(f"sshd's configuration has more than {MAX_FILES} files")
        name = clean_path(path)
        try:
            data = self.engine.read(path, limit=READ_LIMIT)
        except ValidatorError as error:
            self.unreadable.append(SshProblem(name, 0, clean_path(error.message)))
            return
        self.left -= len(data)
        if self.left < 0:
            raise FactError(f"sshd's configuration has more than {MAX_BYTES} bytes")
        outer = match
        for number, line in enumerate(decode(data).split("\n"), 1):
            try:
                parsed = parse_line(line)
                if parsed is None:
                    continue
                keyword, arguments = parsed
                if reason := fault(keyword, arguments, in_match=bool(match)):
                    raise BadLineError(reason)
                if keyword == "match":
                    match = _condition(outer, arguments)
                    always = not match
                elif keyword == "include":
                    self._include(arguments, match, depth, always=always)
                elif keyword not in DEPRECATED:
                    self._set(Setting(keyword, " ".join(arguments), name, number, match), always=always)
            except BadLineError as error:
                self.problems.append(SshProblem(name, number, str(error)))

    def _set(self, setting: Setting, *, always: bool) -> None:
        if setting.match:
            self.conditional.append(setting)
            return
        _add(self.settings, setting)
        if always and setting.keyword in IN_MATCH:
            _add(self.overriding, setting)

    def _include(self, patterns: list[str], match: str, depth: int, *, always: bool) -> None:
        if depth >= MAX_DEPTH:
            raise BadLineError("too many levels of includes")
        for pattern in patterns:
            for path in _glob(self.engine, posixpath.join(INCLUDES_BELOW, pattern)):
                self.file(path, match, depth + 1, always=always)


def _add(settings: dict[str, Setting], setting: Setting) -> None:
    before = settings.setdefault(setting.keyword, setting)
    if before is not setting and setting.keyword in LISTS:
        settings[setting.keyword] = replace(before, value=f"{before.value} {setting.value}")


def _condition(outer: str, arguments: list[str]) -> str:
    inner = "" if [word.lower() for word in arguments] == ["all"] else " ".join(arguments)
    return " and ".join(part for part in (outer, inner) if part)


def _glob(engine: Engine, pattern: str) -> list[str]:
    """Return the files that ``pattern`` stands for, sorted, as glob(3) finds them inside the target."""
    found = ["/"]
    for part in pattern.strip("/").split("/"):
        if not any(char in part for char in "*?["):
            found = [posixpath.join(folder, part) for folder in found]
            continue
        folders = [folder for folder in found if (entry := engine.stat(folder)) and entry.is_dir]
        found = [
            posixpath.join(folder, name)
            for folder in folders
            for name in engine.listdir(folder)
            if name_matches(name, part) and (part.startswith(".") or not name.startswith("."))
        ]
        if len(found) > MAX_FILES:
            raise FactError(f"more than {MAX_FILES} files match an Include of sshd")
    return sorted(path for path in found if engine.exists(path))


def _key_files(engine: Engine, accounts: Accounts, patterns: list[str], *, strict: bool) -> Iterator[KeyFile]:
    """Yield the files that are there. A user's home that is not there has none."""
    seen, left = 0, MAX_BYTES
    for user in accounts.users:
        for pattern in patterns if patterns != ["none"] else ():
            path = key_path(pattern, user)
            seen += 1
            if seen > MAX_KEY_FILES:
                raise FactError(f"more than {MAX_KEY_FILES} places for authorized keys")
            try:
                entry = engine.stat(path)
                left -= min(entry.size, READ_LIMIT) if entry else 0
                if entry and left >= 0:
                    yield _key_file(engine, user, path, strict=strict)
            except ValidatorError as error:
                yield KeyFile(user.name, clean_path(path), (), (), unreadable=clean_path(error.message))
            if left < 0:
                raise FactError(f"authorized keys have more than {MAX_BYTES} bytes")


def key_path(pattern: str, user: User) -> str:
    """Return what a word of AuthorizedKeysFile means for ``user``: sshd_config(5), "TOKENS".

    Too many tokens lead to no file anyway, and stay as they are.
    """
    values = {"%%": "%", "%h": user.home, "%u": user.name, "%U": str(user.uid)}
    if len(pattern) <= PATH_MAX and pattern.count("%") * (len(user.home) + len(user.name)) <= 2 * PATH_MAX:
        pattern = _TOKEN.sub(lambda token: values[token[0]], pattern)
    return posixpath.join(user.home or "/", pattern)


def _key_file(engine: Engine, user: User, path: str, *, strict: bool) -> KeyFile:
    refused = _refusal(engine, user, path) if strict else ""
    entry = engine.stat(path)
    if entry is None or not entry.is_file:
        return KeyFile(user.name, clean_path(path), (), (), refused="it is no regular file")
    lines = list(parse_authorized_keys(engine.read(path, limit=READ_LIMIT)))
    keys = tuple(line for line in lines if isinstance(line, AuthorizedKey))
    return KeyFile(
        user.name, clean_path(path), keys, tuple(line for line in lines if isinstance(line, BadKeyLine)), refused
    )


def _refusal(engine: Engine, user: User, path: str) -> str:
    """Return why StrictModes refuses the file: it, or a folder up to the home, is somebody else's or writable."""
    real, home = engine.resolve(path), engine.resolve(user.home or "/")
    current = real
    while True:
        entry = engine.lstat(current)
        if entry is None:
            return ""
        if entry.uid not in (0, user.uid):
            return f"{clean_path(current)} belongs to uid {entry.uid}, not to {user.name} or root"
        if entry.mode & 0o022:
            return f"{clean_path(current)} may be written by others (mode {entry.mode & 0o7777:04o})"
        if current in (home, "/"):
            return ""
        current = posixpath.dirname(current)
