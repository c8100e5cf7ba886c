"""What is mounted at boot: fstab(5)."""

import re
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import EntryNotFoundError
from diskimage_validator.facts.base import FactError
from diskimage_validator.frozen import dataclass
from diskimage_validator.fstab import Line, parse_fstab
from diskimage_validator.printable import clean_path

PATH: Final = "/etc/fstab"
READ_LIMIT: Final = 1024 * 1024
MAX_LINES: Final = 10_000
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
    mounts = tuple(_mount(line) for line in parse_fstab(data))
    if mounts and mounts[-1].line > MAX_LINES:
        raise FactError(f"{PATH}: more than {MAX_LINES} lines")
    return mounts


def _mount(line: Line) -> Mount:
    source = _USER.sub("", clean_path(line.source))
    options = tuple(clean_path(name) for name in line.options)
    return Mount(source, clean_path(line.mountpoint), clean_path(line.type), options, line.number)
