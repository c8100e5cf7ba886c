"""Files that dpkg was told not to install: ``path-exclude`` and ``path-include`` of its configuration, see dpkg(1)."""

import re
from collections.abc import Sequence
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.reading import names_in
from diskimage_validator.frozen import dataclass
from diskimage_validator.globs import MAX_PATTERN, name_matches
from diskimage_validator.printable import clean_path, decode

FOLDER: Final = "/etc/dpkg/dpkg.cfg.d"
FILE: Final = "/etc/dpkg/dpkg.cfg"
MAX_FILE: Final = 1024 * 1024
MAX_FILTERS: Final = 200
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_OPTION: Final = re.compile(r"path-(exclude|include)(?=[\s=])", re.ASCII)


@dataclass(frozen=True)
class Filter:
    """A pattern of fnmatch(3) in which ``*`` goes across folders."""

    pattern: str
    include: bool


def read_filters(engine: Engine) -> tuple[Filter, ...]:
    """Return the filters in the order in which dpkg reads them: the folder's files by name, then its main file.

    Raises FactError if there are too many, and what the engine raises.
    """
    names = sorted(name for name in names_in(engine, FOLDER) if _NAME.fullmatch(name))
    found: list[Filter] = []
    for path in [*(f"{FOLDER}/{name}" for name in names), FILE]:
        entry = engine.stat(path)
        if entry is not None and entry.is_file:
            found += parse_filters(engine.read(path, limit=MAX_FILE))
        if len(found) > MAX_FILTERS:
            raise FactError(f"{clean_path(path)}: dpkg has more than {MAX_FILTERS} filters of paths")
    return tuple(found)


def parse_filters(data: bytes) -> list[Filter]:
    """Return the filters in a configuration file of dpkg. Raises FactError for a pattern that is too long."""
    found = []
    for line in decode(data).split("\n"):
        option = line.strip()
        match = _OPTION.match(option)
        if match is None:
            continue
        pattern = _unquoted(option[match.end() :].lstrip().removeprefix("=").lstrip())
        if len(pattern) > MAX_PATTERN:
            raise FactError(f"dpkg has a filter of {len(pattern)} characters")
        found.append(Filter(pattern, match[1] == "include"))
    return found


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def is_excluded(path: str, filters: Sequence[Filter]) -> bool:
    """Whether dpkg did not install the file ``path``: the last filter that covers it decides."""
    for one in reversed(filters):
        if name_matches(path, one.pattern):
            return not one.include
    return False
