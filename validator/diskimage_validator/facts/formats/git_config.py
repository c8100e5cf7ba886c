r"""git's configuration language, git-config(1) "CONFIGURATION FILE"."""

import re
from typing import Final

from diskimage_validator.facts.formats.base import Malformed, Setting

_HEADER: Final = re.compile(r'\[([A-Za-z0-9.-]+)(?:[ \t]+"((?:[^"\\\n]|\\.)*)")?[ \t]*\]')
_KEY: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]*)[ \t]*")
_ESCAPES: Final = {"n": "\n", "t": "\t", "b": "\b", '"': '"', "\\": "\\"}


def parse_git_config(text: str) -> list[Setting]:
    """Return the settings: sections as ``url.https://example.org/``, section names and keys in lower case.

    A key without ``=`` has the value ``true``. Raises Malformed where git says "bad config line".
    """
    found: list[Setting] = []
    section = ""
    lines = text.removeprefix("\ufeff").split("\n")
    number = 0
    while number < len(lines):
        line = lines[number].strip(" \t\r\v\f")
        number += 1
        while line.startswith("["):
            match = _HEADER.match(line)
            if not match:
                raise Malformed(number, "a damaged name of a section")
            section = _section(match[1], match[2])
            line = line[match.end() :].lstrip(" \t")
        if not line or line[0] in "#;":
            continue
        match = _KEY.match(line)
        if not match or not section:
            raise Malformed(number, "neither a section nor a setting")
        rest, begin = line[match.end() :], number
        if not rest:
            found.append(Setting(section, match[1].lower(), "true", begin))
            continue
        if rest[0] != "=":
            raise Malformed(number, "no '=' behind the name of a setting")
        value, number = _value(rest[1:], lines, number)
        found.append(Setting(section, match[1].lower(), value, begin))
    return found


def _section(name: str, subsection: str | None) -> str:
    name = name.lower()
    if subsection is None:
        return name
    return f"{name}." + re.sub(r"\\(.)", r"\1", subsection)


def _value(text: str, lines: list[str], number: int) -> tuple[str, int]:
    """Return the value that begins with ``text`` on line ``number``, and the number of the last line it takes."""
    parts: list[str] = []
    quoted = False
    solid = 0  # characters up to here stay whatever blanks follow
    text = text.lstrip(" \t")
    position = 0
    while True:
        if position >= len(text):
            if quoted:
                raise Malformed(number, "a quote that is not closed")
            break
        char = text[position]
        position += 1
        if char == "\\":
            if position >= len(text) or text[position:] == "\r":
                if number >= len(lines):
                    break
                text, position, number = lines[number], 0, number + 1
                continue
            if text[position] not in _ESCAPES:
                raise Malformed(number, "an unknown escape sequence")
            parts.append(_ESCAPES[text[position]])
            position += 1
            solid = len(parts)
        elif char == '"':
            quoted = not quoted
            solid = len(parts)
        elif char in "#;" and not quoted:
            break
        else:
            parts.append(char)
            if quoted or char not in " \t\r":
                solid = len(parts)
    return "".join(parts[:solid]), number
