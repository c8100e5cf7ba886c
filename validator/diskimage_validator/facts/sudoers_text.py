"""The grammar of sudoers(5), as far as it says who may do what: logical lines, lists, rules, aliases, Defaults."""

import re
from collections.abc import Generator, Iterator
from typing import Final

from diskimage_validator.frozen import dataclass

ALIASES: Final = {
    "User_Alias": "user",
    "Runas_Alias": "runas",
    "Host_Alias": "host",
    "Cmnd_Alias": "command",
    "Cmd_Alias": "command",
}
TAGS: Final = (
    "EXEC|NOEXEC|FOLLOW|NOFOLLOW|INTERCEPT|NOINTERCEPT|LOG_INPUT|NOLOG_INPUT|LOG_OUTPUT|NOLOG_OUTPUT|MAIL|NOMAIL"
    "|PASSWD|NOPASSWD|SETENV|NOSETENV"
)
OPTIONS: Final = "ROLE|TYPE|APPARMOR_PROFILE|PRIVS|LIMITPRIVS|NOTBEFORE|NOTAFTER|TIMEOUT|CWD|CHROOT"
_TAG: Final = re.compile(rf"({TAGS})\s*:\s*")
_OPTION: Final = re.compile(rf"({OPTIONS})\s*=\s*(\"[^\"]*\"|(?:\\.|[^\s,:])++)\s*")
_DIGEST: Final = re.compile(r"sha(?:224|256|384|512)\s*:\s*[0-9A-Za-z+/=]+\s*,?\s*")
_RUNAS: Final = re.compile(r"\(([^()]*)\)\s*")
_ITEM: Final = re.compile(r'(?:"[^"]*"|\\.|[^\\"])')
_MEMBER: Final = re.compile(r'!*\s*(?:"[^"]*"|(?:\\.|[^\s,!"=:()\\])+)')
_ALIAS_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]*")


class SyntaxProblem(Exception):  # noqa: N818 - it never leaves the readers of sudoers
    """A line that is no sudoers."""


@dataclass(frozen=True)
class LogicalLine:
    """A line with its continuations, without comments. ``line`` is its first line, from 1."""

    text: str
    line: int


@dataclass(frozen=True)
class Rule:
    """Who (``users``) may run ``commands`` where (``hosts``) as whom (``runas``: users, ``runas_groups``).

    Of commands only the program is kept: arguments may hold anything. ``nopasswd`` is None if no tag says so.
    """

    users: tuple[str, ...]
    hosts: tuple[str, ...]
    runas: tuple[str, ...] | None
    runas_groups: tuple[str, ...]
    nopasswd: bool | None
    commands: tuple[str, ...]
    path: str
    line: int


def logical_lines(text: str) -> Iterator[LogicalLine]:
    """Yield the lines that say something. A ``#`` before a number is a uid, in front of ``include`` a directive."""
    parts: list[str] = []
    first = 0
    for number, raw in enumerate(text.split("\n"), 1):
        first = first if parts else number
        if raw.endswith("\\"):
            parts.append(raw[:-1])
            continue
        whole = _without_comment(" ".join([*parts, raw]) if parts else raw).strip()
        parts = []
        if whole:
            yield LogicalLine(whole, first)
    if parts:
        yield LogicalLine(_without_comment(" ".join(parts)).strip(), first)


def _without_comment(line: str) -> str:
    """Return ``line`` up to a ``#`` that is neither quoted, nor escaped, nor in front of a number."""
    if re.match(r"\s*#include(dir)?\s", line):
        return line
    position = 0
    while position < len(line):
        if line[position] == "#" and not re.match(r"#-?[0-9]+(?=[\s,:=)]|$)", line[position:]):
            return line[:position]
        match = _ITEM.match(line, position)
        position = match.end() if match else position + 1
    return line


def split(text: str, separator: str) -> list[str]:
    """Split at a separator that is neither quoted nor escaped, nor within parentheses."""
    parts, current, depth = [], "", 0
    for match in re.finditer(r'"[^"]*"|\\.|.', text):
        word = match[0]
        depth += (word == "(") - (word == ")")
        if word == separator and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += word
    return [*parts, current]


def members(text: str) -> tuple[str, ...]:
    """Return the members of a list such as ``zuul, %wheel, !root``. Raises SyntaxProblem."""
    found = []
    for part in split(text, ","):
        word = part.strip()
        if not _MEMBER.fullmatch(word):
            raise SyntaxProblem(f"no list of names: {text.strip()[:60]}")
        found.append(_plain(word))
    return tuple(found)


def _plain(word: str) -> str:
    """Undo quotes and escapes; blanks after a ``!`` go."""
    marks = word[: len(word) - len(word.lstrip("! "))].replace(" ", "")
    name = word.lstrip("! ")
    name = name[1:-1] if name.startswith('"') else re.sub(r"\\(.)", r"\1", name)
    return ("!" if marks.count("!") % 2 else "") + name


def parse_alias(text: str) -> tuple[str, list[tuple[str, tuple[str, ...]]]] | None:
    """Return kind and definitions of an alias line, None if it is no such line. Raises SyntaxProblem."""
    word, _, rest = text.partition(" ") if " " in text else text.partition("\t")
    kind = ALIASES.get(word)
    if kind is None:
        return None
    definitions = []
    for part in _definitions(rest):
        name, found, value = part.partition("=")
        if not found or not _ALIAS_NAME.fullmatch(name.strip()):
            raise SyntaxProblem(f"no alias: {part.strip()[:60]}")
        programs = tuple(_program(one) for one in split(value, ",")) if kind == "command" else members(value)
        definitions.append((name.strip(), programs))
    return kind, definitions


def _definitions(text: str) -> list[str]:
    """Split ``A = x : B = y``; the colon of a digest is none."""
    return re.split(r"(?<!\\):\s*(?=[A-Z][A-Z0-9_]*\s*=)", text)


def parse_rules(text: str, path: str, line: int) -> Iterator[Rule]:
    """Yield the rules of a user specification. Raises SyntaxProblem."""
    left, found, rest = text.partition("=")
    if not found:
        raise SyntaxProblem("no rule: there is no '='")
    users, hosts = _users_and_hosts(left)
    while True:
        rest = yield from _commands(rest, users, hosts, path, line)
        if not rest:
            return
        left, found, rest = rest.partition("=")
        if not found:
            raise SyntaxProblem("there is no '=' after ':'")
        hosts = members(left)


def _users_and_hosts(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split ``zuul, %wheel ALL``: the first list ends at a blank without a comma on either side."""
    text = text.strip()
    quotes = position = 0
    for match in re.finditer(r"(?<![,!\\\s])\s+(?![,\s])", text):
        quotes += text.count('"', position, match.start())
        position = match.start()
        if quotes % 2 == 0:
            return members(text[: match.start()]), members(text[match.end() :])
    raise SyntaxProblem("users and hosts are wanted before '='")


def _commands(
    text: str, users: tuple[str, ...], hosts: tuple[str, ...], path: str, line: int
) -> Generator[Rule, None, str]:
    """Yield a rule per command and return what follows the ':' that ends the list.

    Run-as and tags last until others are given.
    """
    runas: tuple[str, ...] | None = None
    groups: tuple[str, ...] = ()
    nopasswd: bool | None = None
    rest = text.strip()
    while True:
        if match := _RUNAS.match(rest):
            names, _, named_groups = match[1].partition(":")
            runas = members(names) if names.strip() else ()
            groups = members(named_groups) if named_groups.strip() else ()
            rest = rest[match.end() :]
        while match := _OPTION.match(rest) or _TAG.match(rest):
            if match[1] in ("PASSWD", "NOPASSWD"):
                nopasswd = match[1] == "NOPASSWD"
            rest = rest[match.end() :]
        command, separator, rest = _one_command(rest)
        yield Rule(users, hosts, runas, groups, nopasswd, (_program(command),), path, line)
        if separator != ",":
            return rest.strip()
        rest = rest.strip()


def _one_command(text: str) -> tuple[str, str, str]:
    """Return the first command of a list, the separator after it and the rest. Digests in front of it go."""
    while match := _DIGEST.match(text):
        text = text[match.end() :]
    position = 0
    while position < len(text) and text[position] not in ",:":
        match = _ITEM.match(text, position)
        position = match.end() if match else position + 1
    return text[:position], text[position : position + 1], text[position + 1 :]


def _program(command: str) -> str:
    """Return the program of a command, with its ``!``. Raises SyntaxProblem for what can be no command."""
    text = command.strip()
    while match := _DIGEST.match(text):
        text = text[match.end() :]
    negated = text.startswith("!")
    words = re.findall(r'(?:"[^"]*"|\\.|[^\s"\\])+', text.lstrip("! "))
    if not words:
        raise SyntaxProblem("a command is wanted")
    name = str(words[0]).strip('"')
    is_alias = len(words) == 1 and _ALIAS_NAME.fullmatch(name)
    if not is_alias and not name.startswith(("/", "^/")) and name not in ("sudoedit", "list"):
        raise SyntaxProblem(f"no command: {name[:60]}")
    return ("!" if negated else "") + name
