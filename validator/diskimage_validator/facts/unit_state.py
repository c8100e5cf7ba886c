"""The state of a unit file, in the words of ``systemctl is-enabled``: systemctl(1), systemd.unit(5)."""

import posixpath
import stat
from collections.abc import Iterator
from dataclasses import field
from typing import Final

from diskimage_validator.engines.base import Engine, Stat
from diskimage_validator.errors import TargetError
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.unit_files import UnitName, UnitText, parse_name
from diskimage_validator.facts.unit_path import Folder, drop_ins
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path

READ_LIMIT: Final = 1024 * 1024
MAX_ALIASES: Final = 64
NULL: Final = "/dev/null"


class NotFoundError(FactError):
    """There is no such unit."""


@dataclass(frozen=True)
class Found:
    """A unit as it was found: under ``name``, in the file ``path``, both after all aliases were followed."""

    name: UnitName
    path: str
    masked: bool
    text: UnitText = field(default_factory=UnitText)
    drop_ins: tuple[str, ...] = ()

    def names(self) -> set[str]:
        """Names of links by which ``systemctl enable`` would enable the unit."""
        known = {self.name.text, *self.text.get("Install", "Alias")}
        if self.name.is_template and (instances := self.text.get("Install", "DefaultInstance")):
            known.add(self.name.with_instance(instances[-1]))
        return known


class UnitFinder:
    """Looks up units in the folders of the load path, the strongest first. Each file is read once."""

    def __init__(self, engine: Engine, folders: tuple[Folder, ...]) -> None:
        self._engine = engine
        self._folders = folders
        self._links = tuple(_Links.of(folder) for folder in folders)
        self._texts: dict[str, bytes] = {}

    def state(self, name: UnitName, found: Found) -> str:
        """Return the state of what ``find`` found under ``name``."""
        if found.masked:
            return "masked-runtime" if found.path.startswith("/run/") else "masked"
        if name.text != posixpath.basename(found.path) and not found.name.is_instance:
            return "alias"
        if state := self._enabled(found, known_only=True):
            return state
        if self._enabled(found, known_only=False):
            return "indirect"
        if found.text.get("Install", "Alias", "WantedBy", "RequiredBy", "UpheldBy"):
            return "disabled"
        return "indirect" if found.text.get("Install", "Also") else "static"

    def find(self, name: UnitName) -> Found:
        """Follow aliases from ``name`` to the unit. Raises NotFoundError, FactError for what systemd calls bad."""
        current, path = name, self._search(name)
        for _ in range(MAX_ALIASES):
            entry = self._engine.lstat(path)
            if entry is None:
                raise NotFoundError(f"{path} is not there")
            if not entry.is_link:
                return self._load(current, path, entry)
            target = self._target(path)
            if not self._is_outside(target):
                current, path = self._follow_alias(current, path, target)
            elif self._is_empty(target):
                return Found(current, path, masked=True)
            else:  # a linked unit: its own name counts, whatever the file is called
                path = target
        raise FactError(f"{name.text}: more than {MAX_ALIASES} aliases")

    def _follow_alias(self, name: UnitName, path: str, target: str) -> tuple[UnitName, str]:
        """Return the name that an alias stands for, and where its file is."""
        alias, aim = parse_name(posixpath.basename(path)), parse_name(posixpath.basename(target))
        if alias is None or aim is None or not alias.may_alias(aim):
            raise FactError(f"{path} leads to {target}, which is no alias that systemd allows")
        if name.is_instance and aim.is_template:
            aim = parse_name(aim.with_instance(name.instance or "")) or aim
        if aim == name:
            return name, target
        return aim, self._search(aim)

    def _search(self, name: UnitName) -> str:
        for wanted in (name.text, name.template):
            for folder in self._folders if wanted else ():
                if wanted in folder.entries:
                    return posixpath.join(folder.path, wanted)
        raise NotFoundError(f"no unit file of the name {name.text}")

    def _target(self, path: str) -> str:
        """Return where a link leads, without following a link there."""
        text = self._engine.readlink(path)
        return self._engine.resolve(posixpath.join(posixpath.dirname(path), text), follow_last=False)

    def _is_outside(self, target: str) -> bool:
        return not any(target.startswith(f"{folder.path}/") for folder in self._folders)

    def _is_empty(self, path: str) -> bool:
        try:
            real = self._engine.resolve(path)
        except TargetError as error:  # links in a circle
            raise FactError(error.message) from error
        if real == NULL:
            return True
        entry = self._engine.lstat(real)
        return entry is not None and _is_null(entry)

    def _load(self, name: UnitName, path: str, entry: Stat) -> Found:
        if _is_null(entry):
            return Found(name, path, masked=True)
        if not entry.is_file:
            raise FactError(f"{path} is no regular file")
        text = UnitText()
        text.read(self._read(path), clean_path(path))
        names = [name.text, name.template] if name.template else [name.text]
        files = list(drop_ins(self._folders, *names))
        for file in files:
            text.read(self._read(file), clean_path(file))
        return Found(name, path, masked=False, text=text, drop_ins=tuple(files))

    def _read(self, path: str) -> bytes:
        if path not in self._texts:
            entry = self._engine.stat(path)
            null = entry is None or not entry.is_file
            self._texts[path] = b"" if null else self._engine.read(path, limit=READ_LIMIT)
        return self._texts[path]

    def _enabled(self, found: Found, *, known_only: bool) -> str:
        """Return what links make of a unit: ``enabled``, ``linked``, either with ``-runtime``, ``static`` or nothing.

        ``known_only``: only links of the names that ``systemctl enable`` would make.
        """
        same = {"linked": False, "linked-runtime": False}
        runtime = elsewhere = below = False
        own = found.name.text
        for folder, links in zip(self._folders, self._links, strict=True):
            if folder.has_links and links.enable(found, below=below, known_only=known_only):
                if folder.is_config:
                    return "enabled"
                runtime, elsewhere = runtime or folder.is_runtime, elsewhere or not folder.is_runtime
            elif folder.has_links and not below and posixpath.basename(folder.links.get(own, "")) == own:
                same["linked"] |= folder.is_config
                same["linked-runtime"] |= folder.is_runtime
            below = below or found.path.startswith(f"{folder.path}/")
        if runtime:
            return "enabled-runtime"
        if elsewhere and found.name.is_instance:
            return "static"
        return next((state for state, there in same.items() if there), "")


@dataclass(frozen=True)
class _Links:
    """The links of one ``folder``, by the unit that they concern: looking through all for each takes long.

    ``pulled`` are the names in folders like ``X.wants``, and ``instances`` those of them that a template has;
    ``leading`` are the names of the links that lead to a file of a name.
    """

    folder: Folder
    pulled: frozenset[str]
    instances: dict[str, list[str]]
    leading: dict[str, list[str]]

    @classmethod
    def of(cls, folder: Folder) -> "_Links":
        pulled = frozenset(name for names in folder.pulls.values() for name in names)
        instances: dict[str, list[str]] = {}
        leading: dict[str, list[str]] = {}
        for name in pulled:
            parsed = parse_name(name)
            if parsed and parsed.template:
                instances.setdefault(parsed.template, []).append(name)
        for name, text in folder.links.items():
            leading.setdefault(posixpath.basename(text), []).append(name)
        return cls(folder, pulled, instances, leading)

    def enable(self, found: Found, *, below: bool, known_only: bool) -> bool:
        """Whether a link in the folder enables the unit. ``below``: the folder is weaker than the unit's file."""
        concerning = list(self._concerning(found, below=below))
        return bool(concerning) and (not known_only or not found.names().isdisjoint(concerning))

    def _concerning(self, found: Found, *, below: bool) -> Iterator[str]:
        own = found.name.text
        if own in self.pulled:
            yield own
        if found.name.is_template:
            yield from self.instances.get(own, ())
        leading = self.leading.get(own, [])
        yield from (name for name in leading if name != own or below)
        if own in self.folder.links and not below and own not in leading:
            yield own


def _is_null(entry: Stat) -> bool:
    """Whether this counts as a mask: an empty file or a device."""
    return (entry.is_file and entry.size == 0) or stat.S_ISCHR(entry.mode) or stat.S_ISBLK(entry.mode)
