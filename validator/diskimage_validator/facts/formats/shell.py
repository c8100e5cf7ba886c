"""Assignments of variables in files that shells, pam_env and systemd read.

No shell is understood here: of every line the words ``NAME=value`` and ``setenv NAME value`` are found wherever a
command may have them, with ``export`` or without, before a command, in a condition, within the quotes of an alias. So
what a script does only sometimes is found as well. A value that has to be computed is said to be so.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Final

from diskimage_validator.frozen import dataclass

MAX_VALUE: Final = 1024
MAX_ASSIGNMENTS: Final = 500
"""In one text. Quotes within quotes make the words of many assignments overlap."""
_START: Final = re.compile(
    r"(?:(?:(?<=^)|(?<=[\s;&|(`'\"]))([A-Za-z_][A-Za-z0-9_]*)=|(?:(?<=^)|(?<=[\s;]))setenv[ \t]+([A-Za-z_]\w*)[ \t]+)",
    re.ASCII,
)
_END: Final = frozenset(" \t;&|()<>`")


@dataclass(frozen=True)
class Assignment:
    """A variable and its value, quotes taken off; ``computed``: the value has ``$`` or a command in it."""

    name: str
    value: str
    line: int
    computed: bool = False


def assignments(text: str, wanted: Callable[[str], bool] | None = None) -> Iterator[Assignment]:
    """Yield the first ``MAX_ASSIGNMENTS`` of ``text`` whose names are ``wanted``, in their order. Never raises.

    A backslash at its end joins a line with the next.
    """
    found = (
        (number, line, match)
        for number, line in _logical_lines(text)
        for match in _START.finditer(line)
        if wanted is None or wanted(match[1] or match[2])
    )
    for number, line, match in itertools.islice(found, MAX_ASSIGNMENTS):
        quote = line[match.start() - 1 : match.start()]
        value, computed = _word(line, match.end(), quote if quote in ("'", '"') else "")
        yield Assignment(match[1] or match[2], value, number, computed)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number of the first line, line without its comment)."""
    pending, begin = "", 0
    for number, raw in enumerate(text.split("\n"), start=1):
        begin = begin if pending else number
        line = pending + raw
        if line.endswith("\\") and len(line) < MAX_VALUE:
            pending = line[:-1]
            continue
        pending = ""
        yield begin, _without_comment(line)
    if pending:
        yield begin, _without_comment(pending)


def _without_comment(line: str) -> str:
    quote = ""
    for position, char in enumerate(line):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "#" and (position == 0 or line[position - 1].isspace()):
            return line[:position]
    return line


def _word(line: str, start: int, outer: str) -> tuple[str, bool]:
    """Return the word at ``start`` and whether it is computed; ``outer`` is the quote that the assignment is within."""
    value: list[str] = []
    quote, computed = "", False
    position = start
    while position < len(line) and len(value) < MAX_VALUE:
        char = line[position]
        position += 1
        if char == "\\" and quote != "'" and position < len(line):
            value.append(line[position])
            position += 1
        elif quote:
            computed |= char in "$`" and quote == '"'
            if char == quote:
                quote = ""
            else:
                value.append(char)
        elif char in _END or char == outer:
            computed |= char == "`"
            break
        elif char in "'\"":
            quote = char
        else:
            computed |= char == "$"
            value.append(char)
    return "".join(value), computed
