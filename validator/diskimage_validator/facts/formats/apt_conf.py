r"""apt's configuration language, apt.conf(5), as apt-pkg's ``ReadConfigFile`` reads it.

It looks like a list of lines and is not: scopes nest, ``A::B::C "x";`` is ``A { B { C "x"; }; };``, names have no case,
a name may be left out in a list, ``#clear`` takes away what earlier files said, and comments are ``//``, ``#`` and
``/* */``, but not within quotes.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Final

from diskimage_validator.facts.formats.base import Malformed
from diskimage_validator.frozen import dataclass

MAX_INCLUDES: Final = 10
"""Depth at which apt itself gives up."""
MAX_NAME: Final = 4096
"""Characters of an item's name; nested scopes add up."""
MAX_ITEM: Final = 64 * 1024
"""Characters of a line, and of an item on several lines. apt knows no limit, but our time is."""
_STRING: Final = re.compile(r'"([^"]*)"(\s*)')
_STRINGS: Final = re.compile(rf"(?:{_STRING.pattern})+")
_MAGIC: Final = ("clear", "include", "x-apt-configure-index")


@dataclass(frozen=True)
class AptItem:
    """One item: its full name as written, its value, and where that was set."""

    name: str
    value: str
    path: str
    line: int


@dataclass
class AptConfig:
    """All items after all files, by name in lower case, in the order in which they were first set."""

    items: dict[str, AptItem] = field(default_factory=dict)
    _anonymous: int = 0

    def set(self, item: AptItem) -> None:
        """Set an item; a name that ends in ``::`` adds to a list."""
        name = item.name.lower()
        if name.endswith("::"):
            self._anonymous += 1
            name = f"{name}#{self._anonymous}"
        self.items[name] = item

    def clear(self, name: str) -> None:
        """Take away ``name`` and all that is below it."""
        name = name.lower().removesuffix("::")
        self.items = {key: item for key, item in self.items.items() if not f"{key}::".startswith(f"{name}::")}

    def text(self, name: str, default: str = "") -> str:
        """Return the value of ``name``."""
        item = self.items.get(name.lower())
        return item.value if item else default


Include = Callable[[str], Iterator[tuple[str, str]]]
"""From the argument of ``#include`` to (path, text) of the files that it means."""


def read_apt_conf(config: AptConfig, path: str, text: str, include: Include, depth: int = 0) -> None:
    """Put what ``text`` says into ``config``. Raises Malformed; what comes before the error is in ``config`` then."""
    reader = _Reader(config, path, include, depth)
    for number, line in _uncommented(text):
        reader.feed(number, line)
    if reader.pending:
        raise Malformed(number, "the file ends within an item")


def _uncommented(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line number, what is left of it without comments)."""
    inside = False
    for number, raw in enumerate(text.split("\n"), start=1):
        if len(raw) > MAX_ITEM:
            raise Malformed(number, f"a line of more than {MAX_ITEM} characters")
        line = raw.replace("\t", "        ").strip()
        if inside:
            _, closed, line = line.partition("*/")
            inside = not closed
            if inside:
                continue
        line = _cut(line, "//", ())
        line = _cut(line, "#", _MAGIC)
        kept = ""
        while (start := _find_unquoted(line, "/*")) >= 0:
            kept += line[:start]
            _, closed, line = line[start + 2 :].partition("*/")
            if not closed:
                inside, line = True, ""
                break
        if kept + line:
            yield number, kept + line


def _cut(line: str, mark: str, unless: tuple[str, ...]) -> str:
    """Return ``line`` up to ``mark``, if that is neither quoted nor followed by one of ``unless``."""
    start = _find_unquoted(line, mark, unless)
    return line if start < 0 else line[:start]


def _find_unquoted(line: str, mark: str, unless: tuple[str, ...] = ()) -> int:
    """Return where ``mark`` is first, neither quoted nor followed by one of ``unless``; -1 if it is nowhere."""
    start = counted = quotes = 0
    while (start := line.find(mark, start)) >= 0:
        quotes += line.count('"', counted, start)
        counted = start
        if quotes % 2 == 0 and not (unless and line.startswith(unless, start + 1)):
            return start
        start += 1
    return -1


class _Reader:
    """The state between the lines of one file."""

    def __init__(self, config: AptConfig, path: str, include: Include, depth: int) -> None:
        self.pending = ""
        self._config = config
        self._path = path
        self._include = include
        self._depth = depth
        self._scopes: list[str] = []
        self._parent = ""

    def feed(self, number: int, line: str) -> None:
        """Take in one line without comments."""
        quoted = False
        start = 0
        for position, char in enumerate(line):
            quoted ^= char == '"'
            if quoted or char not in "{;}":
                continue
            self._collect(number, line[start:position])
            start = position + 1
            if self.pending:
                self._item(number, char)
            elif char == "{":
                raise Malformed(number, "a block without a name")
            if char == "}":
                self._parent = self._scopes.pop() if self._scopes else ""
        self._collect(number, line[start:])

    def _collect(self, number: int, text: str) -> None:
        text = text.strip()
        if len(self.pending) + len(text) > MAX_ITEM:
            raise Malformed(number, f"an item of more than {MAX_ITEM} characters")
        self.pending += f" {text}" if self.pending and text else text

    def _item(self, number: int, end: str) -> None:
        tag, word, has_word = _words(self.pending, number, block=end == "{")
        self.pending = ""
        if end == "{":
            self._scopes.append(self._parent)
            self._parent = f"{self._parent}::{tag}" if self._parent else tag
            if len(self._parent) > MAX_NAME:
                raise Malformed(number, "blocks that are nested too deeply")
            name = self._parent
        else:
            name = f"{self._parent}::{tag}" if self._parent else tag
        if end != "{" and tag.startswith("#"):
            self._directive(number, tag, word)
        elif word == "#clear" and (end == "{" or not tag):
            raise Malformed(number, "#clear without a name")
        elif has_word:
            self._config.set(AptItem(name, word, self._path, number))

    def _directive(self, number: int, tag: str, word: str) -> None:
        if self._parent:
            raise Malformed(number, f"{tag} within a block")
        if tag == "#clear":
            self._config.clear(word)
        elif tag == "#include":
            if self._depth > MAX_INCLUDES:
                raise Malformed(number, "too many nested includes")
            for path, text in self._include(word):
                read_apt_conf(self._config, path, text, self._include, self._depth + 1)
        elif tag != "#x-apt-configure-index":
            raise Malformed(number, f"an unknown directive {tag}")


def _words(text: str, number: int, *, block: bool) -> tuple[str, str, bool]:
    """Return tag, word and whether there is a word. A single one is the word of a list's item, or a block's tag."""
    words = list(_split(text))
    if not words or words[-1][1] < 0:
        raise Malformed(number, "a quote that is not closed")
    tag, end = words[0]
    if len(words) == 1:
        return (tag, "", False) if block else ("", tag, True)
    rest = text[end:].strip()
    if _STRINGS.fullmatch(rest):  # one after the other they are one value, with the blank between them
        return tag, "".join(string + (" " if blank else "") for string, blank in _STRING.findall(rest)), True
    if len(words) > 2:
        raise Malformed(number, "more than a name and a value: is a semicolon missing?")
    return tag, words[1][0], True


def split_words(text: str) -> list[str] | None:
    """Return the words of ``text`` as apt's ``ParseQuoteWord`` does; None if a quote or bracket is not closed.

    Quotes and brackets may begin within a word; blanks inside them belong to it.
    """
    words = list(_split(text))
    return None if words and words[-1][1] < 0 else [word for word, _ in words]


def _split(text: str) -> Iterator[tuple[str, int]]:
    """Yield (word, position behind it); the position is -1 for a word that is not closed."""
    word: list[str] = []
    started, closing = False, ""
    for position, char in enumerate(text):
        if closing:
            if char != '"' or closing != '"':
                word.append(char)
            closing = "" if char == closing else closing
        elif char.isspace():
            if started:
                yield "".join(word), position
            word, started = [], False
        else:
            started = True
            closing = {'"': '"', "[": "]"}.get(char, "")
            if char != '"':
                word.append(char)
    if started:
        yield "".join(word), -1 if closing else len(text)
