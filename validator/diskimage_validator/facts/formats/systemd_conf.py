r"""systemd's configuration files: one main file and drop-ins, systemd.syntax(7) and systemd-system.conf(5).

The main file is the first one found in ``/etc``, ``/run``, ``/usr/local/lib`` and ``/usr/lib``. Drop-ins come after it,
in the order of their names; of two with the same name the one in the folder named first counts. A list grows with each
assignment, and an empty one makes it empty.
"""

from collections.abc import Iterable
from typing import Final

from diskimage_validator.facts.formats.base import Setting

ROOTS: Final = ("/etc", "/run", "/usr/local/lib", "/usr/lib")


def parse_systemd_conf(text: str) -> list[Setting]:
    r"""Return the settings. Lines may go on after a ``\``; what systemd does not understand it passes over."""
    found: list[Setting] = []
    section, begin = "", 0
    pending: list[str] = []
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if line[:1] in ("#", ";") or (not line and not pending):
            continue
        begin = begin if pending else number
        if line.endswith("\\"):
            pending.append(line[:-1])
            continue
        line, pending = " ".join([*pending, line]).strip(), []
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif "=" in line:
            key, _, value = line.partition("=")
            found.append(Setting(section, key.strip(), value.strip(), begin))
    return found


def list_of(settings: Iterable[tuple[str, Setting]], section: str, key: str) -> list[tuple[str, str, int]] | None:
    """Return (word, path, line) of a list setting after all files; None if no file sets it.

    ``settings`` are (path, setting) in the order in which systemd reads them.
    """
    found: list[tuple[str, str, int]] | None = None
    for path, setting in settings:
        if (setting.section, setting.key) == (section, key):
            words = setting.value.split()
            found = [*(found or []), *((word, path, setting.line) for word in words)] if words else []
    return found
