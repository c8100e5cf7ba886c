"""What lies in the folders that systemd loads units from: systemd.unit(5), "Unit File Load Path"."""

import posixpath
from collections.abc import Iterator
from dataclasses import field
from typing import Final

from diskimage_validator.engines.base import Engine, Stat
from diskimage_validator.facts.base import FactError
from diskimage_validator.frozen import dataclass

CONFIG: Final = "/etc/systemd/system"
SEARCH_PATH: Final = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    CONFIG,
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
PULLS: Final = (".wants", ".requires", ".upholds")
MAX_ENTRIES: Final = 50_000


@dataclass(frozen=True)
class Folder:
    """One folder of the load path. ``path`` is real, ``entries`` are its names with their lstat.

    ``pulls`` are the folders ``X.wants`` and the like with the names of the links in them; ``drop_ins`` the folders
    ``X.d`` with the names of their ``.conf`` files; ``links`` the text of the links among ``entries``.
    """

    path: str
    entries: dict[str, Stat] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    pulls: dict[str, list[str]] = field(default_factory=dict)
    drop_ins: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_config(self) -> bool:
        """Whether this is where ``systemctl enable`` makes its links."""
        return self.path == CONFIG

    @property
    def has_links(self) -> bool:
        """Whether anything in the folder can enable a unit."""
        return bool(self.links or self.pulls)

    @property
    def is_runtime(self) -> bool:
        """Whether the folder is empty again after a boot."""
        return self.path.startswith("/run/")


def read_unit_path(engine: Engine) -> tuple[Folder, ...]:
    """Return the folders, the strongest first; one that is reached twice (``/lib``) counts once.

    One that is not there is empty. Raises FactError if there is too much in them.
    """
    return tuple(_read_folder(engine, path) for path in dict.fromkeys(engine.resolve(path) for path in SEARCH_PATH))


def _read_folder(engine: Engine, path: str) -> Folder:
    folder, there = Folder(path), engine.lstat(path)
    if there is None or not there.is_dir:
        return folder
    for count, (entry, found) in enumerate(engine.walk(path)):
        if count == MAX_ENTRIES:
            raise FactError(f"more than {MAX_ENTRIES} entries below {path}")
        _sort(engine, folder, entry, found)
    return folder


def _sort(engine: Engine, folder: Folder, path: str, found: Stat) -> None:
    parts = path.removeprefix(f"{folder.path}/").split("/")
    if len(parts) == 1:
        folder.entries[parts[0]] = found
        if found.is_link:
            folder.links[parts[0]] = engine.readlink(path)
    elif len(parts) == 2 and parts[0].endswith(PULLS) and found.is_link:
        folder.pulls.setdefault(parts[0], []).append(parts[1])
    elif len(parts) == 2 and parts[0].endswith(".d") and parts[1].endswith(".conf"):
        folder.drop_ins.setdefault(parts[0], []).append(parts[1])


def drop_ins(folders: tuple[Folder, ...], *names: str) -> Iterator[str]:
    """Yield the drop-ins of a unit of these names in order: by file name, of a stronger folder's file alone."""
    chosen: dict[str, str] = {}
    for name in names:
        for folder in folders:
            for file in folder.drop_ins.get(f"{name}.d", ()):
                chosen.setdefault(file, posixpath.join(folder.path, f"{name}.d", file))
    return (chosen[file] for file in sorted(chosen))
