"""Menus of boot loaders as text: GRUB's scripts, entries of the Boot Loader Specification, extlinux.

A GRUB script is no data: it is read as ``grub-mkconfig`` writes it, without running its conditions. What only a running
GRUB knows (``next_entry``) is left out.
"""

import re
from collections.abc import Iterator
from dataclasses import field
from itertools import pairwise
from typing import Final

from diskimage_validator.facts.base import FactError
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import decode

MAX_ENTRIES: Final = 1_000
MAX_DEPTH: Final = 100
MAX_FILLED_IN: Final = 1_000_000
"""Characters that the variables of a menu may stand for in all."""
_WORD: Final = re.compile(r"""(?:[^\s'"{};\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*"|\$\{\w*\})+|[{};]""")
_QUOTED: Final = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)""")
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))", re.ASCII)
_LINUX: Final = frozenset({"linux", "linux16", "linuxefi"})
_INITRD: Final = frozenset({"initrd", "initrd16", "initrdefi"})


@dataclass(frozen=True)
class Level:
    """One step on the way to an entry: its number in its menu, its title and its id."""

    number: int
    title: str
    id: str

    def is_called(self, name: str) -> bool:
        """Whether GRUB's ``default`` means this one."""
        return name in (str(self.number), self.title, self.id)


@dataclass
class MenuEntry:
    """One entry of a menu while it is read. ``searched`` are the labels and UUIDs that GRUB looks for."""

    way: tuple[Level, ...]
    line: int
    kernel: str = ""
    initrds: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    searched: list[str] = field(default_factory=list)

    def is_default(self, name: str) -> bool:
        """Whether GRUB's ``default`` means this entry, or a submenu whose first entry it is."""
        parts = name.split(">")
        called = all(level.is_called(part) for level, part in zip(self.way, parts, strict=False))
        return called and len(parts) <= len(self.way) and all(level.number == 0 for level in self.way[len(parts) :])


class Variables(dict[str, str]):
    """GRUB's variables. Each may hold another one twice, so what they fill in is limited."""

    left = MAX_FILLED_IN

    def expand(self, text: str) -> str:
        """Return ``text`` with variables filled in; one that is not known is empty. Raises FactError for too much."""
        return _VARIABLE.sub(lambda match: self._value(match[1] or match[2]), text)

    def _value(self, name: str) -> str:
        value = self.get(name, "")
        self.left -= len(value)
        if self.left < 0:
            raise FactError(f"GRUB's variables stand for more than {MAX_FILLED_IN} characters")
        return value


@dataclass
class Menu:
    """A GRUB script: its entries, its variables, the last value of each, and whether it reads BLS entries."""

    entries: list[MenuEntry] = field(default_factory=list)
    variables: Variables = field(default_factory=Variables)
    defaults: list[str] = field(default_factory=list)
    has_bls: bool = False


def parse_grub(data: bytes, path: str, variables: dict[str, str]) -> Menu:
    """Return the menu in ``data``; ``variables``: those of the environment block. Raises FactError for too much."""
    menu = Menu(variables=Variables(variables))
    blocks: list[Level | None] = []
    counts = [0]
    entry: MenuEntry | None = None
    for number, words in _commands(data):
        name, arguments = words[0], words[1:]
        if name in ("menuentry", "submenu") and arguments:
            level = Level(counts[-1], arguments[0], _id(arguments))
            counts[-1] += 1
            blocks.append(level)
            counts.append(0)
            if name == "menuentry":
                entry = MenuEntry(tuple(one for one in blocks if one), number)
                menu.entries.append(entry)
        elif words[-1] == "{":
            blocks.append(None)
            counts.append(0)
        elif name == "}":
            if blocks:
                blocks.pop()
                counts.pop()
            entry = entry if entry and blocks and blocks[-1] is None else None
        else:
            _command(menu, entry, name, arguments)
        if len(menu.entries) > MAX_ENTRIES or len(blocks) > MAX_DEPTH:
            raise FactError(f"{path}: more than {MAX_ENTRIES} entries, or blocks more than {MAX_DEPTH} deep")
    return menu


def _command(menu: Menu, entry: MenuEntry | None, name: str, arguments: list[str]) -> None:
    if name == "set" and arguments:
        variable, _, value = arguments[0].partition("=")
        if variable == "default":
            menu.defaults.append(value)
        elif entry is None:
            menu.variables[variable] = menu.variables.expand(value)
    elif name == "blscfg":
        menu.has_bls = True
    elif entry is None or not arguments:
        return
    elif name in _LINUX:
        words = [word for argument in arguments for word in menu.variables.expand(argument).split()]
        entry.kernel, entry.options = (words or [""])[0], words[1:]
    elif name in _INITRD:
        entry.initrds.extend(word for argument in arguments for word in menu.variables.expand(argument).split())
    elif name == "search":
        entry.searched.append(arguments[-1])


def _id(arguments: list[str]) -> str:
    """Return the id of a menu entry: the word after ``--id`` or after the variable that grub-mkconfig writes for it."""
    for option, value in pairwise(arguments):
        if option in ("--id", "$menuentry_id_option", "${menuentry_id_option}"):
            return value
    return ""


def _commands(data: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, words) of every simple command; the brace that opens a block ends its command."""
    for number, line in enumerate(decode(data).split("\n"), 1):
        words: list[str] = []
        for match in _WORD.finditer(line):
            word = match[0]
            if word.startswith("#") and (match.start() == 0 or line[match.start() - 1].isspace()):
                break
            if word in ("{", "}", ";"):
                if word == "{":
                    yield number, [*words, "{"]
                else:
                    if words:
                        yield number, words
                    if word == "}":
                        yield number, ["}"]
                words = []
            else:
                words.append(_QUOTED.sub(lambda found: found[1] or found[2] or found[3] or "", word))
        if words:
            yield number, words


def parse_environment(data: bytes) -> dict[str, str]:
    """Return the variables of GRUB's environment block."""
    lines = (line.partition("=") for line in decode(data).split("\n") if not line.startswith("#"))
    return {name: value for name, found, value in lines if found}


def parse_bls(data: bytes, number: int, file: str, variables: Variables) -> MenuEntry:
    """Return the entry that a file of the Boot Loader Specification describes, number ``number`` of its menu."""
    values: dict[str, list[str]] = {}
    for line in decode(data).split("\n"):
        key, _, value = line.strip().partition(" ")
        if key and not key.startswith("#"):
            values.setdefault(key, []).append(variables.expand(value.strip()))
    title = " ".join(values.get("title", [file]))
    entry = MenuEntry((Level(number, title, file.removesuffix(".conf")),), 1)
    entry.kernel = next(iter(values.get("linux", ())), "")
    entry.initrds = [path for value in values.get("initrd", ()) for path in value.split()]
    entry.options = [option for value in values.get("options", ()) for option in value.split()]
    return entry


def parse_extlinux(data: bytes) -> tuple[list[MenuEntry], str]:
    """Return the entries of extlinux.conf and the label of the default one."""
    entries: list[MenuEntry] = []
    default = "0"
    for number, line in enumerate(decode(data).split("\n"), 1):
        key, _, value = line.strip().partition(" ")
        word, value = key.upper(), value.strip()
        if word == "DEFAULT":
            default = value
        elif word == "LABEL" and len(entries) < MAX_ENTRIES:
            entries.append(MenuEntry((Level(len(entries), value, value),), number))
        elif entries and word in ("KERNEL", "LINUX"):
            entries[-1].kernel = value
        elif entries and word == "INITRD":
            entries[-1].initrds = value.split(",")
        elif entries and word == "APPEND":
            entries[-1].options = value.split()
            found = [option[7:] for option in entries[-1].options if option.startswith("initrd=")]
            entries[-1].initrds += [path for paths in found for path in paths.split(",")]
    return entries, default
