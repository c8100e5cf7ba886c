"""TOML with line numbers: tomllib says what the values are, and its own verdict on each statement says where they are.

Statements are found by giving tomllib ever more lines until it takes them as one. So strings and lists of several
lines are no guess, and the line of a value is right or, in a file that is too odd, not known (0).
"""

import re
import tomllib
from typing import Any, Final

from diskimage_validator.facts.formats.base import Malformed
from diskimage_validator.frozen import dataclass

MAX_SIZE: Final = 256 * 1024
MAX_DOTS: Final = 1_000
"""Dots of one line: tomllib needs quadratic time for a key of many parts."""
MAX_ATTEMPTS: Final = 50_000
"""Lines that are parsed to find statements; the lines of what comes after that are not known."""
MAX_STATEMENT: Final = 400
_LINE: Final = re.compile(r"at line (\d+)")

Where = tuple[str | int, ...]
"""Keys and indices to a value: ``("registry", 0, "location")``."""


@dataclass(frozen=True)
class TomlText:
    """A parsed document and the lines of its tables and keys."""

    data: dict[str, Any]
    lines: dict[Where, int]

    def line(self, *where: str | int) -> int:
        """Return the line of ``where``, or that of the table it is in; 0 if neither is known."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 0)


def parse_toml(text: str) -> TomlText:
    """Return the document that ``text`` is. Raises Malformed if it is no TOML, or unreasonable."""
    if len(text) > MAX_SIZE:
        raise Malformed(0, f"more than {MAX_SIZE // 1024} KiB")
    for number, content in enumerate(text.split("\n"), start=1):
        if content.count(".") > MAX_DOTS:
            raise Malformed(number, f"more than {MAX_DOTS} dots")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = _LINE.search(str(error))
        line = int(match[1]) if match else text.count("\n") + 1
        raise Malformed(line, f"no TOML: {_LINE.split(str(error))[0].rstrip(' (')}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, a list of lists of lists
        raise Malformed(0, "no reasonable TOML: a number too large or nesting too deep") from error
    return TomlText(data, _lines(text))


def _lines(text: str) -> dict[Where, int]:
    lines = text.replace("\r\n", "\n").split("\n")
    found: dict[Where, int] = {}
    counts: dict[Where, int] = {}
    table: Where = ()
    attempts, begin = 0, 0
    while begin < len(lines):
        if lines[begin].lstrip()[:1] in ("", "#"):  # most lines of a configuration file: no statement begins here
            begin += 1
            continue
        end = begin + 1
        parsed = _statement(lines[begin:end])
        while parsed is None and end < len(lines) and end - begin < MAX_STATEMENT and attempts < MAX_ATTEMPTS:
            end += 1
            attempts += end - begin
            parsed = _statement(lines[begin:end])
        if parsed is None:
            return found
        if lines[begin].lstrip().startswith("["):
            table = _table(parsed, counts)
            for end_of_name in range(1, len(table) + 1):
                found.setdefault(table[:end_of_name], begin + 1)
        else:
            for key in _keys(parsed):
                found.setdefault((*table, *key), begin + 1)
        begin = end
    return found


def _statement(lines: list[str]) -> dict[str, Any] | None:
    try:
        return tomllib.loads("\n".join(lines))
    except (ValueError, RecursionError):
        return None


def _table(parsed: dict[str, Any], counts: dict[Where, int]) -> Where:
    """Return where the table of a header is, by counting the ones with the same name before it."""
    where: Where = ()
    value: Any = parsed
    while value:
        if isinstance(value, list):
            counts[where] = counts.get(where, -1) + 1
            # Tables below the one that ends here are counted anew for the one that begins.
            for below in [key for key in counts if len(key) > len(where) and key[: len(where)] == where]:
                del counts[below]
            where, value = (*where, counts[where]), value[0]
            continue
        name = next(iter(value))
        where, value = (*where, name), value[name]
        if where in counts and not isinstance(value, list):
            where = (*where, counts[where])
    return where


def _keys(parsed: dict[str, Any]) -> list[Where]:
    """Return the keys of a statement: one, of several parts if it is dotted, and those of an inline table."""
    found: list[Where] = []
    pending: list[tuple[Where, Any]] = [((), parsed)]
    while pending:
        where, value = pending.pop()
        if where:
            found.append(where)
        if isinstance(value, dict):
            pending += [((*where, key), inner) for key, inner in value.items()]
    return found
