"""Patterns of paths, as policies write them.

``*`` and ``?`` stay within one component of a path, ``**`` goes across several, ``[...]`` is a set of characters;
anything else stands for itself. Patterns are absolute and cover the whole path.
"""

import fnmatch
import re
from collections.abc import Iterable
from functools import cache
from typing import Final

MAX_PATTERN: Final = 1024
"""Characters of a pattern that a file of an image spells. fnmatch needs quadratic time to understand one."""
_TOKENS: Final = re.compile(r"(?P<all>\*\*)|(?P<some>\*)|(?P<one>\?)|(?P<set>\[!?[^]/][^]/]*\])|(?P<text>.)", re.DOTALL)
_SET: Final = re.compile(r"\(\?s:(?P<set>.*)\)\\[Zz]", re.DOTALL)
_WILD: Final = re.compile(r"[*?[]")


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Whether one of ``patterns`` covers ``path``."""
    patterns = tuple(patterns)
    # Most paths begin like none of them: that is quick to see, and leaves most expressions uncompiled.
    if not path.startswith(_beginnings(patterns)):
        return False
    return any(path.startswith(_beginning(one)) and _compile(one).fullmatch(path) for one in patterns)


def name_matches(name: str, pattern: str) -> bool:
    """Whether ``name`` matches a pattern of fnmatch(3), which anybody may have written; one that is too long never."""
    wild = _WILD.search(pattern)
    if wild is None:
        return name == pattern
    # A name that begins in another way leaves the expression uncompiled.
    quick = len(pattern) <= MAX_PATTERN and name.startswith(pattern[: wild.start()])
    return quick and fnmatch.fnmatchcase(name, pattern)


def is_plain(pattern: str) -> bool:
    """Whether ``pattern`` is just a path."""
    return _WILD.search(pattern) is None


def fixed_folder(pattern: str) -> str:
    """Return the folder that everything which ``pattern`` covers is below: ``/etc/apt`` for ``/etc/apt/*.d/x``."""
    wild = _WILD.search(pattern)
    return pattern if wild is None else pattern[: wild.start()].rpartition("/")[0] or "/"


@cache
def _beginning(pattern: str) -> str:
    """Return the text that everything which ``pattern`` covers begins with."""
    wild = _WILD.search(pattern)
    return pattern if wild is None else pattern[: wild.start()]


@cache
def _beginnings(patterns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple({_beginning(pattern) for pattern in patterns})


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(_expression(token) for token in _TOKENS.finditer(pattern)), re.DOTALL)


def _expression(token: re.Match[str]) -> str:
    text = token[0]
    if token.lastgroup == "set":  # the standard library knows the odd cases of sets, but would let them match a slash
        return "(?!/)" + _SET.sub(r"\g<set>", fnmatch.translate(text))
    return {"all": ".*", "some": "[^/]*", "one": "[^/]"}.get(str(token.lastgroup), re.escape(text))
