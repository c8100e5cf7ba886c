"""What the readers of systemd's network services share: settings of all their files, defaults, whether they start."""

import re

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.formats.base import Setting
from diskimage_validator.facts.formats.systemd_conf import ROOTS, parse_systemd_conf
from diskimage_validator.facts.sources.found import Found
from diskimage_validator.facts.units import FOLDERS, is_enabled


def read_settings(found: Found, kind: str, name: str) -> list[tuple[str, Setting]]:
    """Return (path, setting) of a main file such as ``timesyncd.conf`` and its drop-ins, in the order that counts."""
    settings = []
    main = next((path for path in main_files(name) if found.engine.exists(path)), None)
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
    installed = next((f"{folder}/{unit}" for folder in FOLDERS if _exists(found.engine, f"{folder}/{unit}")), None)
    if not installed:
        return []
    for path in main_files(name):
        for number, line in enumerate((found.text(kind, path) or "").split("\n"), start=1):
            match = re.fullmatch(rf"\s*#\s*{key}=(.*)", line)
            if match:
                return [(host, path, number) for host in match[1].split()]
    return [(f"({what} that are compiled into {unit.removesuffix('.service')})", installed, 0)]


def starts(found: Found, unit: str) -> bool:
    """Whether the image starts the unit; if that cannot be told, what it would contact is judged."""
    try:
        return is_enabled(found.engine, unit)
    except ValidatorError:
        return True


def _exists(engine: Engine, path: str) -> bool:
    try:
        return engine.exists(path)
    except ValidatorError:
        return False
