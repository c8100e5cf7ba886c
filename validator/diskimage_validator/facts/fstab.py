"""What is mounted at boot: fstab(5)."""

import re
from collections.abc import Iterator
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import EntryNotFoundError
from diskimage_validator.facts.base import FactError
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import decode

PATH: Final = "/etc/fstab"
READ_LIMIT: Final = 1024 * 1024
MAX_LINES: Final = 10_000
_OCTAL: Final = re.compile(r"\\([0-7]{3})")
_USER: Final = re.compile(r"(?<=//)[^/@]*@")


@dataclass(frozen=True)
class Mount:
    """One line of fstab. ``options`` are names only: the value of ``password=`` is nobody's business."""

    source: str
    mountpoint: str
    type: str
    options: tuple[str, ...]
    line: int


def read_fstab(engine: Engine) -> tuple[Mount, ...]:
    """Return the lines of the target's fstab, none if there is no such file. Raises FactError if there are too many."""
    try:
        data = engine.read(PATH, limit=READ_LIMIT)
    except EntryNotFoundError:
        return ()
    return tuple(parse_fstab(data))


def parse_fstab(data: bytes) -> Iterator[Mount]:
    """Yield the entries of ``data``. A line with less than three fields is none: mount(8) ignores it too."""
    for number, line in enumerate(decode(data).split("\n"), 1):
        if number > MAX_LINES:
            raise FactError(f"{PATH}: more than {MAX_LINES} lines")
        fields = [_unescape(word) for word in line.split()]
        if len(fields) < 3 or fields[0].startswith("#"):
            continue
        options = fields[3].split(",") if len(fields) > 3 else []
        names = tuple(option.partition("=")[0] for option in options)
        yield Mount(_USER.sub("", fields[0]), fields[1], fields[2], names, number)


def _unescape(word: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), word)
