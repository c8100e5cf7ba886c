"""Whether systemd starts a unit at boot, from the links in the image: systemctl(1) "enable", systemd.unit(5)."""

import posixpath
from typing import Final

from diskimage_validator.engines.base import Engine

FOLDERS: Final = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")


def is_installed(engine: Engine, unit: str) -> bool:
    """Whether there is a file for the unit, and it is not masked."""
    paths = [f"{folder}/{unit}" for folder in FOLDERS]
    first = next((path for path in paths if engine.lstat(path) is not None), None)
    return first is not None and not _is_mask(engine, first) and engine.exists(first)


def is_enabled(engine: Engine, unit: str) -> bool:
    """Whether a ``.wants`` or ``.requires`` names the installed unit, or an alias in ``/etc`` leads to it."""
    if not is_installed(engine, unit):
        return False
    for folder in FOLDERS:
        if not engine.exists(folder):
            continue
        for name in engine.listdir(folder):
            path = f"{folder}/{name}"
            if name.endswith((".wants", ".requires")) and engine.lstat(f"{path}/{unit}") is not None:
                return True
            if folder == FOLDERS[0] and name != unit and _leads_to(engine, path, unit):
                return True
    return False


def _is_mask(engine: Engine, path: str) -> bool:
    return engine.resolve(path) == "/dev/null"


def _leads_to(engine: Engine, path: str, unit: str) -> bool:
    entry = engine.lstat(path)
    return entry is not None and entry.is_link and posixpath.basename(engine.readlink(path)) == unit
