"""What the readers of systemd's network services share: settings of all their files, defaults, whether they start."""

import re

from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.base import Unreadable
from diskimage_validator.facts.formats.base import Setting
from diskimage_validator.facts.formats.systemd_conf import ROOTS, parse_systemd_conf
from diskimage_validator.facts.sources.found import Found
from diskimage_validator.facts.units import installed, may_start


def read_settings(found: Found, kind: str, name: str) -> list[tuple[str, Setting]]:
    """Return (path, setting) of a main file such as ``timesyncd.conf`` and its drop-ins, in the order that counts."""
    settings = []
    main = next((path for path in main_files(name) if _is_there(found, kind, path)), None)
    drop_ins: dict[str, str] = {}
    for root in reversed(ROOTS):
        folder = f"{root}/systemd/{name}.d"
        drop_ins |= {entry: f"{folder}/{entry}" for entry in found.names(kind, folder) if entry.endswith(".conf")}
    for path in [*([main] if main else []), *(drop_ins[entry] for entry in sorted(drop_ins))]:
        text = found.text(kind, path)
        settings += [(path, setting) for setting in parse_systemd_conf(text or "")]
    return settings


def main_files(name: str) -> list[str]:
    """Return where a main file may be, the first counts."""
    return [f"{root}/systemd/{name}" for root in ROOTS]


def compiled_in(found: Found, kind: str, name: str, key: str, what: str, unit: str) -> list[tuple[str, str, int]]:
    """Return (host, path, line) of a compiled-in default, as the comments in the main file of ``name`` show it.

    If there is no such comment, the default is not known: one entry says so with a text that is no host. If ``unit``
    is not installed there is no default.
    """
    here = None if isinstance(found.services, Unreadable) else installed(found.services, unit)
    if here is None:
        return []
    for path in main_files(name):
        for number, line in enumerate((found.text(kind, path) or "").split("\n"), start=1):
            match = re.fullmatch(rf"\s*#\s*{key}=(.*)", line)
            if match:
                return [(host, path, number) for host in match[1].split()]
    return [(f"({what} that are compiled into {unit.removesuffix('.service')})", here.path, 0)]


def starts(found: Found, unit: str) -> bool:
    """Whether the image may start the unit; if that cannot be told, what it would contact is judged."""
    return isinstance(found.services, Unreadable) or may_start(found.services, unit)


def _is_there(found: Found, kind: str, path: str) -> bool:
    try:
        return found.engine.exists(path)
    except ValidatorError as error:
        found.trouble(kind, path, 0, error.message, refused=False)
        return False
