"""Which operating system is this: os-release(5)."""

import re
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import EntryNotFoundError
from diskimage_validator.facts.base import FactError
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import decode

PATHS: Final = ("/etc/os-release", "/usr/lib/os-release")
READ_LIMIT: Final = 64 * 1024
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.ASCII)
_FAMILIES: Final = {
    "debian": ("debian", "ubuntu"),
    "rhel": ("rhel", "fedora", "centos", "rocky", "almalinux"),
    "suse": ("suse", "opensuse", "sles"),
}


@dataclass(frozen=True)
class OsRelease:
    """What os-release says; fields that it leaves out are empty. ``path`` is the file that was read."""

    path: str
    id: str
    version_id: str
    name: str
    codename: str
    id_like: tuple[str, ...]

    @property
    def family(self) -> str:
        """``debian``, ``rhel`` or ``suse``: how packages and CAs are kept; empty for anything else."""
        for family, ids in _FAMILIES.items():
            if any(name == known or name.startswith(f"{known}-") for name in (self.id, *self.id_like) for known in ids):
                return family
        return ""


def read_os_release(engine: Engine) -> OsRelease:
    """Return what the first of ``PATHS`` says. Raises FactError if none is there or it has no ID."""
    for path in PATHS:
        try:
            data = engine.read(path, limit=READ_LIMIT)
        except EntryNotFoundError:
            continue
        return parse_os_release(data, path)
    raise FactError(f"no operating system: neither {' nor '.join(PATHS)} is there", "is this the right image?")


def parse_os_release(data: bytes, path: str) -> OsRelease:
    """Return what ``data``, the content of ``path``, says. ID has the default that os-release(5) gives it, ``linux``.

    Raises FactError if there is no assignment at all.
    """
    values: dict[str, str] = {}
    for line in decode(data).split("\n"):
        match = _ASSIGNMENT.fullmatch(line.strip())
        if match:
            values[match[1]] = _unquote(match[2])
    if not values:
        raise FactError(f"{path} says nothing", "it is empty or no os-release file")
    return OsRelease(
        path=path,
        id=values.get("ID", "linux"),
        version_id=values.get("VERSION_ID", ""),
        name=values.get("PRETTY_NAME") or values.get("NAME", ""),
        codename=values.get("VERSION_CODENAME", ""),
        id_like=tuple(values.get("ID_LIKE", "").split()),
    )


def _unquote(text: str) -> str:
    """Undo the quoting of a shell, as far as os-release(5) allows it: no expansion, no concatenation."""
    quote = text[:1]
    if quote == "'" and len(text) > 1 and text.endswith("'"):
        return text[1:-1]
    if quote == '"' and len(text) > 1 and text.endswith('"'):
        return re.sub(r'\\(["$`\\])', r"\1", text[1:-1])
    return re.sub(r"\\(.)", r"\1", text)
