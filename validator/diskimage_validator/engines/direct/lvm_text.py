"""The text of LVM2's metadata: sections in braces, values that are numbers, strings, or lists of these.

Source: lvm.conf(5) for the syntax, libdm/libdm-config.c for its details. What LVM does not write is declined.
"""

import re
from collections.abc import Iterator
from typing import Final

from diskimage_validator.errors import DeclinedError

Value = int | str | list[int | str]
Section = dict[str, "Value | Section"]

MAX_DEPTH: Final = 8
_TOKEN: Final = re.compile(
    r"""[ \t\r\n]+ | \#[^\n]* | (?P<name>[A-Za-z0-9_+.-]+) | "(?P<text>(?:[^"\\\n]|\\["\\])*)" | (?P<mark>[][{}=,])""",
    re.VERBOSE,
)
_NUMBER: Final = re.compile(r"-?[0-9]{1,19}")

Token = tuple[str, str]
"""Name of the group in _TOKEN, and what it matched."""


def parse_lvm_text(text: str) -> Section:
    """Return the sections and values of ``text``. Raises DeclinedError for anything that LVM does not write."""
    tokens = _tokens(text)
    found = _section(tokens, 0)
    if next(tokens, None) is not None:
        raise DeclinedError("LVM: the metadata has a brace too many")
    return found


def _tokens(text: str) -> Iterator[Token]:
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise DeclinedError(f"LVM: the metadata has something unknown at {place}")
        place = match.end()
        if match.lastgroup is not None:
            yield match.lastgroup, match[match.lastgroup]


def _section(tokens: Iterator[Token], depth: int) -> Section:
    found: Section = {}
    for kind, name in tokens:
        if (kind, name) == ("mark", "}"):
            if depth == 0:
                raise DeclinedError("LVM: the metadata has a brace too many")
            return found
        if kind != "name" or name in found or depth > MAX_DEPTH:
            raise DeclinedError(f"LVM: the metadata has {name[:40]} where a name is wanted, or twice")
        following = next(tokens, ("", ""))
        if following == ("mark", "{"):
            found[name] = _section(tokens, depth + 1)
        elif following == ("mark", "="):
            found[name] = _value(tokens)
        else:
            raise DeclinedError(f"LVM: the metadata has {name[:40]} without a value")
    if depth:
        raise DeclinedError("LVM: the metadata ends in the middle")
    return found


def _value(tokens: Iterator[Token]) -> Value:
    token = next(tokens, ("", ""))
    if token != ("mark", "["):
        return _scalar(token)
    found: list[int | str] = []
    token = next(tokens, ("", ""))
    while token != ("mark", "]"):
        found.append(_scalar(token))
        token = next(tokens, ("", ""))
        if token == ("mark", ","):
            token = next(tokens, ("", ""))
        elif token != ("mark", "]"):
            raise DeclinedError("LVM: the metadata has a list without an end")
    return found


def _scalar(token: Token) -> int | str:
    kind, text = token
    if kind == "text":
        return re.sub(r"\\(.)", r"\1", text)
    if kind == "name" and _NUMBER.fullmatch(text):
        return int(text)
    raise DeclinedError(f"LVM: the metadata has {text[:40]} where a value is wanted")
