"""Package relations as Debian writes them: ``docker.io | docker-ce (>= 5:24) | podman``.

The alternatives of one relation serve Debian's and RPM's names at once. python-debian's ``PkgRelation`` hands bad
syntax back as a package name and knows no underscore, which RPM names have; so the grammar is spelled out here.
"""

import re
from typing import Final

from diskimage_validator.frozen import dataclass

OPERATORS: Final = ("<<", "<=", "=", ">=", ">>")
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9+._-]*"
_PATTERN: Final = r"[A-Za-z0-9*?\[][A-Za-z0-9+._*?\[\]!-]*"
_BOUND: Final = r"\(\s*(?P<operator>[<>=]{1,2})\s*(?P<version>[0-9][A-Za-z0-9.+~:^_-]*)\s*\)"
_ALTERNATIVE: Final = re.compile(rf"\s*(?P<name>{_NAME})\s*(?:{_BOUND})?\s*", re.ASCII)
_ALTERNATIVE_PATTERN: Final = re.compile(rf"\s*(?P<name>{_PATTERN})\s*(?:{_BOUND})?\s*", re.ASCII)


@dataclass(frozen=True)
class Alternative:
    """One package with, perhaps, a bound on its version. ``operator`` is empty without a bound."""

    name: str
    operator: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name


@dataclass(frozen=True)
class Relation:
    """One or more alternatives; any of them will do."""

    alternatives: tuple[Alternative, ...]

    def __str__(self) -> str:
        return " | ".join(str(alternative) for alternative in self.alternatives)


def parse_relation(text: str, *, patterns: bool = False) -> Relation:
    """Return the relation that ``text`` spells; with ``patterns``, names may be patterns of fnmatch(3).

    Raises ValueError with a sentence for the user.
    """
    return Relation(tuple(_parse_alternative(part, patterns) for part in text.split("|")))


def _parse_alternative(text: str, patterns: bool) -> Alternative:
    match = (_ALTERNATIVE_PATTERN if patterns else _ALTERNATIVE).fullmatch(text)
    if match is None:
        raise ValueError(f"'{text.strip()}' is no package relation: write 'name' or 'name (>= 1.9)', joined by '|'")
    operator = match["operator"] or ""
    if operator and operator not in OPERATORS:
        raise ValueError(f"unknown operator '{operator}': use one of {' '.join(OPERATORS)}")
    return Alternative(match["name"], operator, match["version"] or "")


def parse_commands(text: str) -> tuple[str, ...]:
    """Return the alternatives of ``docker | podman``. Raises ValueError for anything that is no plain name."""
    names = tuple(part.strip() for part in text.split("|"))
    for name in names:
        if not re.fullmatch(rf"\[|{_NAME}", name, re.ASCII):
            raise ValueError(f"'{name}' is no command name: write it without a folder and without arguments")
    return names
