"""The text of systemd's units and presets, and their names: systemd.unit(5), systemd.syntax(7), systemd.preset(5)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import field
from functools import lru_cache
from typing import Final

from diskimage_validator.facts.base import FactError
from diskimage_validator.frozen import dataclass
from diskimage_validator.globs import name_matches
from diskimage_validator.printable import decode

TYPES: Final = "service|socket|target|device|mount|automount|swap|timer|path|slice|scope"
MAX_NAME: Final = 255
MAX_VALUES: Final = 10_000
"""Values of one key that are read; a real unit has a handful."""
_NAME: Final = re.compile(
    rf"(?P<prefix>[A-Za-z0-9:_.\\-]+)(?P<at>@(?P<instance>[A-Za-z0-9:_.\\@-]*))?\.(?P<type>{TYPES})", re.ASCII
)
_MAY_ALIAS: Final = frozenset({"service", "socket", "target", "device", "timer", "path"})
_WORD: Final = re.compile(r'"([^"]*)"|\'([^\']*)\'|(\S+)')
_SECTIONS: Final = frozenset({"Unit", "Install"})


@dataclass(frozen=True)
class UnitName:
    """A valid unit name and its parts. ``instance`` is None for a plain unit, empty for a template."""

    text: str
    prefix: str
    instance: str | None
    type: str

    @property
    def is_template(self) -> bool:
        """Whether this is ``getty@.service``."""
        return self.instance == ""

    @property
    def is_instance(self) -> bool:
        """Whether this is ``getty@tty1.service``."""
        return bool(self.instance)

    @property
    def template(self) -> str:
        """The template of an instance; empty for a plain unit or a template."""
        return f"{self.prefix}@.{self.type}" if self.is_instance else ""

    def with_instance(self, instance: str) -> str:
        """The name of an instance of this unit, which is a template or an instance of one."""
        return f"{self.prefix}@{instance}.{self.type}"

    def may_alias(self, target: "UnitName") -> bool:
        """Whether a link of this name may lead to ``target``: systemd.unit(5), on aliases."""
        if self.type != target.type or self.type not in _MAY_ALIAS:
            return False
        if self.is_instance:
            return target.is_template or target.instance == self.instance
        return self.is_template == target.is_template and not target.is_instance


@lru_cache(maxsize=10_000)
def parse_name(text: str) -> UnitName | None:
    """Return the parts of a unit's name, None if it is not valid."""
    match = _NAME.fullmatch(text) if len(text) <= MAX_NAME else None
    if match is None:
        return None
    return UnitName(text, match["prefix"], match["instance"] if match["at"] else None, match["type"])


@dataclass
class UnitText:
    """Lists of the keys in ``[Unit]`` and ``[Install]``, as main file and drop-ins set them one after the other."""

    values: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def get(self, section: str, *keys: str) -> tuple[str, ...]:
        """Return the words of these keys."""
        return tuple(word for key in keys for word in self.values.get((section, key), ()))

    def read(self, data: bytes, path: str) -> None:
        """Add the assignments in ``data``; an empty one clears its key. Raises FactError for what systemd refuses."""
        section = ""
        for line in _logical_lines(data):
            if line.startswith("["):
                if not line.endswith("]"):
                    raise FactError(f"{path}: invalid section header")
                section = line[1:-1]
                continue
            key, found, value = line.partition("=")
            if not found or section not in _SECTIONS:
                continue
            words = self.values.setdefault((section, key.strip()), [])
            if not value.strip():
                words.clear()
            words.extend(_words(value))
            if len(words) > MAX_VALUES:
                raise FactError(f"{path}: more than {MAX_VALUES} values of {key.strip()[:40]}")


def _words(text: str) -> Iterator[str]:
    return (match[1] or match[2] or match[3] or "" for match in _WORD.finditer(text))


def _logical_lines(data: bytes) -> Iterator[str]:
    """Yield lines without comments, a backslash at the end joining them to the next."""
    pending: list[str] = []
    for raw in decode(data).split("\n"):
        line = raw.strip()
        if line.startswith(("#", ";")):
            continue
        if line.endswith("\\"):
            pending.append(line[:-1])
            continue
        whole = " ".join([*pending, line]).strip()
        pending = []
        if whole:
            yield whole
    if rest := " ".join(pending).strip():
        yield rest


@dataclass(frozen=True)
class PresetRule:
    """One line of a preset file: whether to enable units that match ``pattern``; ``names``: instances of a template."""

    enable: bool
    pattern: str
    names: frozenset[str] = frozenset()


def parse_preset(data: bytes) -> Iterator[PresetRule]:
    """Yield the rules of one preset file, in order; lines that systemd does not know either are left out."""
    for raw in decode(data).split("\n"):
        words = raw.split()
        if len(words) >= 2 and words[0] in ("enable", "disable"):
            template = parse_name(words[1]) if len(words) > 2 else None
            named = [template.with_instance(instance) for instance in words[2:]] if template else words[2:]
            yield PresetRule(words[0] == "enable", words[1], frozenset([words[1], *named] if words[2:] else ()))


def preset_of(name: UnitName, rules: Iterable[PresetRule]) -> bool:
    """Whether presets enable the unit ``name``: the first rule that matches decides, and without one it is enabled."""
    for rule in rules:
        if rule.names:
            if name.text in rule.names:
                return rule.enable
        elif name_matches(name.text, rule.pattern):
            return rule.enable
    return True
