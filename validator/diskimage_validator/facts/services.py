"""Units of systemd and what becomes of them at boot, as ``systemctl --root=TREE is-enabled UNIT`` names their states.

Which file is a unit, what masks or aliases it and which links enable it follows systemd.unit(5) and systemctl(1).
``/run`` is read, because systemctl reads it too, but it is empty on the booted node: a state that ends in ``-runtime``
does not last. Out of reach for a target at rest is what generators make while the node boots: units from SysV scripts
and from fstab, and ``cloud-init.target``, which cloud-init's generator pulls in.

First boot: with ``/etc/machine-id`` missing or ``uninitialized`` (an empty file does not count: machine-id(5), "First
Boot Semantics") systemd applies the presets to all units, so that a unit which is disabled at rest can come up enabled.
It does so before anything is mounted: with ``ro`` on the command line it fails, and says so in the journal ("Failed to
populate /etc with preset unit settings"), as seen with systemd 252.
"""

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import EntryNotFoundError, ValidatorError
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.unit_files import PresetRule, UnitName, parse_name, parse_preset, preset_of
from diskimage_validator.facts.unit_path import Folder, read_unit_path
from diskimage_validator.facts.unit_state import Found, UnitFinder
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path

MACHINE_ID: Final = "/etc/machine-id"
DEFAULT: Final = "default.target"
PRESET_FOLDERS: Final = tuple(
    f"{parent}/systemd/system-preset" for parent in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
)
MAX_UNITS: Final = 20_000
MAX_PRESETS: Final = 1_000
MAX_RULES: Final = 5_000
"""Rules in preset files, each of which is held against every unit. A distribution has some hundred."""
READ_LIMIT: Final = 1024 * 1024
_STARTS: Final = ("Wants", "Requires", "BindsTo", "Upholds")
_TRIGGERS: Final = ("socket", "timer", "path")


@dataclass(frozen=True)
class Unit:
    """A unit, or another name of one.

    ``state`` is systemd's word, or ``unreadable``; ``bad`` and ``unreadable`` come with a ``reason``. ``path`` is the
    file, ``target`` the name that an alias leads to, else the unit's own. ``preset``: whether presets enable it;
    ``wanted_by``: the units whose ``.wants`` or ``.requires`` folders link to it; ``pulled``: whether the default
    target starts it, as far as files tell; ``isolated``: whether one can boot into it (AllowIsolate=).
    """

    name: str
    state: str
    path: str
    target: str
    preset: bool = False
    wanted_by: tuple[str, ...] = ()
    pulled: bool = False
    isolated: bool = False
    drop_ins: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Services:
    """All units by name, with the instances that something links to.

    ``default_target`` is what the node boots into, empty if there is none; ``first_boot``: whether presets are applied
    then.
    """

    units: dict[str, Unit]
    default_target: str
    first_boot: bool

    def find(self, name: str) -> Unit | None:
        """Return the unit that ``name`` stands for, an alias followed. An instance may come from its template."""
        unit = self.units.get(name)
        if unit is not None:
            return self.units.get(unit.target, unit)
        parsed = parse_name(name)
        template = self.units.get(parsed.template) if parsed and parsed.template else None
        if template is None:
            return None
        state = template.state if template.state in ("bad", "masked", "static", "unreadable") else "disabled"
        return replace(template, name=name, state=state, target=name, pulled=False, wanted_by=(), preset=False)

    def triggers(self, unit: Unit) -> list[Unit]:
        """Return the enabled sockets, timers and paths that would start ``unit``: those of the same name."""
        stem = unit.name.rpartition(".")[0]
        found = (self.units.get(f"{stem}.{kind}") for kind in _TRIGGERS)
        return [trigger for trigger in found if trigger and trigger.state == "enabled" and trigger.name != unit.name]


def read_services(engine: Engine) -> Services | None:
    """Return the target's units, None if there is nothing where units are (no systemd).

    Raises FactError if there are too many of them, or of presets.
    """
    folders = read_unit_path(engine)
    if not any(folder.entries for folder in folders):
        return None
    finder, presets = UnitFinder(engine, folders), tuple(islice(_presets(engine), MAX_RULES + 1))
    if len(presets) > MAX_RULES:
        raise FactError(f"more than {MAX_RULES} rules in preset files")
    reader = _Reader(finder, folders, presets)
    units = {name.text: reader.read(name) for name in _names(folders)}
    default = reader.followed(DEFAULT)
    pulled = reader.closure(default) if default else set()
    return Services(
        units={name: replace(unit, pulled=unit.target in pulled) for name, unit in sorted(units.items())},
        default_target=default,
        first_boot=_is_first_boot(engine),
    )


def _names(folders: Iterable[Folder]) -> Iterator[UnitName]:
    """Yield every unit that has a file or a link to one, and every instance that something pulls in."""
    files = {name for folder in folders for name, entry in folder.entries.items() if entry.is_file or entry.is_link}
    pulled = {name for folder in folders for names in folder.pulls.values() for name in names}
    names = [name for name in map(parse_name, sorted(files | pulled)) if name]
    wanted = [name for name in names if name.text in files or name.template in files]
    if len(wanted) > MAX_UNITS:
        raise FactError(f"more than {MAX_UNITS} units")
    return iter(wanted)


class _Reader:
    """Turns names into units; each name is looked up once."""

    def __init__(self, finder: UnitFinder, folders: tuple[Folder, ...], presets: tuple[PresetRule, ...]) -> None:
        self._finder = finder
        self._presets = presets
        self._found: dict[str, Found | ValidatorError] = {}
        self._pulls: dict[str, set[str]] = {}
        """Which units have a folder that links to a name."""
        for folder in folders:
            for pulling, names in folder.pulls.items():
                for name in names:
                    self._pulls.setdefault(name, set()).add(posixpath.splitext(pulling)[0])

    def _find(self, name: UnitName) -> Found | ValidatorError:
        if name.text not in self._found:
            try:
                self._found[name.text] = self._finder.find(name)
            except ValidatorError as error:
                self._found[name.text] = error
        return self._found[name.text]

    def followed(self, text: str) -> str:
        """Return the name that ``text`` stands for; empty if there is no such unit or it is masked."""
        name = parse_name(text)
        found = self._find(name) if name else None
        return found.name.text if isinstance(found, Found) and not found.masked else ""

    def read(self, name: UnitName) -> Unit:
        """Return the unit of that name. What is wrong with it is in its state and reason."""
        found = self._find(name)
        wanted_by = tuple(sorted(clean_path(unit) for unit in self._pulls.get(name.text, ())))
        if isinstance(found, ValidatorError):
            state = "bad" if isinstance(found, FactError) else "unreadable"
            preset, reason = preset_of(name, self._presets), clean_path(found.message)
            return Unit(name.text, state, "", name.text, preset, wanted_by, reason=reason)
        state = self._finder.state(name, found)
        return Unit(
            name=name.text,
            state=state,
            path=clean_path(found.path),
            target=found.name.text,
            preset=preset_of(found.name if state == "alias" else name, self._presets),
            wanted_by=wanted_by,
            isolated="yes" in found.text.get("Unit", "AllowIsolate"),
            drop_ins=tuple(clean_path(path) for path in found.drop_ins),
        )

    def closure(self, start: str) -> set[str]:
        """Return the names of all units that starting ``start`` starts, by links and by Wants=, Requires= and so on."""
        linked: dict[str, set[str]] = {}
        for name, pulling in self._pulls.items():
            for unit in pulling:
                linked.setdefault(self.followed(unit), set()).add(name)
        reached: set[str] = set()
        pending = [start]
        while pending:
            name = pending.pop()
            if not name or name in reached:
                continue
            reached.add(name)
            parsed = parse_name(name)
            found = self._find(parsed) if parsed else None
            wants = found.text.get("Unit", *_STARTS) if isinstance(found, Found) else ()
            pending.extend(self.followed(other) for other in {*wants, *linked.get(name, ())})
        return reached


def _presets(engine: Engine) -> Iterator[PresetRule]:
    """Yield the rules of all preset files in the order of their names, a stronger folder's file alone."""
    chosen: dict[str, str] = {}
    for folder in PRESET_FOLDERS:
        entry = engine.stat(folder)
        if entry is None or not entry.is_dir:
            continue
        for name in engine.listdir(folder):
            if name.endswith(".preset"):
                chosen.setdefault(name, posixpath.join(folder, name))
    if len(chosen) > MAX_PRESETS:
        raise FactError(f"more than {MAX_PRESETS} preset files")
    for name in sorted(chosen):
        if engine.resolve(chosen[name]) != "/dev/null":
            yield from parse_preset(engine.read(chosen[name], limit=READ_LIMIT))


def _is_first_boot(engine: Engine) -> bool:
    try:
        content = engine.read(MACHINE_ID, limit=READ_LIMIT)
    except EntryNotFoundError:
        return True
    return content.strip() == b"uninitialized"
