"""Python environments and the distributions in them: the interpreters of the system, others, and virtual environments.

A distribution is what its metadata says: ``*.dist-info/METADATA`` or ``*.egg-info`` (PyPA, "Recording installed
projects" and "Core metadata"). Which folders an interpreter looks into: site(7) of CPython, and Debian's and Fedora's
own folders. Nothing of the target is executed; ``.pth`` files are not followed.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

from diskimage_validator.engines.base import Engine, Stat
from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.scene import Scene
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path, decode

SYSTEM: Final = "/usr"
LOCAL: Final = "/usr/local"
MAX_ENVIRONMENTS: Final = 500
MAX_DISTRIBUTIONS: Final = 20_000
MAX_HEADER: Final = 64 * 1024
"""Bytes of a metadata file that are read: name and version are in its head."""
MAX_VALUE: Final = 200

_SITE: Final = re.compile(
    r"(?P<prefix>.*)/lib(?:64)?/python(?P<version>\d+(?:\.\d+)?)/(?P<kind>site|dist)-packages", re.ASCII | re.DOTALL
)
_INTERPRETER: Final = re.compile(r"python\d+\.\d+", re.ASCII)
_METADATA: Final = (("dist-info", "METADATA"), ("egg-info", "PKG-INFO"))


@dataclass(frozen=True)
class Distribution:
    """``name`` is normalized (``markdown-it-py``); ``version`` as written; ``path`` is its metadata folder or file."""

    name: str
    version: str
    path: str


@dataclass(frozen=True)
class PythonEnvironment:
    """One place that Python runs from.

    ``path``: the interpreter of the system (``/usr/bin/python3.11``), else the environment's folder; ``version``: as
    ``3.11``; ``kind``: ``system``, ``venv``, or ``prefix`` for any other folder with distributions, such as
    ``/root/.local``; ``base``: path of the environment whose distributions it sees too, or empty; ``folders``: where
    its own are; ``distributions``: in the order in which Python finds them; ``unreadable``: metadata that says nothing.
    """

    path: str
    version: str
    kind: str
    base: str
    folders: tuple[str, ...]
    distributions: tuple[Distribution, ...]
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class PythonPackages:
    """All environments. ``aliases``: other names of interpreters, such as ``/usr/bin/python3``, with what they are."""

    environments: tuple[PythonEnvironment, ...]
    aliases: dict[str, str]

    def matching(self, pattern: str) -> list[PythonEnvironment]:
        """Return the environments whose path or interpreter is called, or matches, ``pattern`` (fnmatch(3))."""
        paths = {pattern} | {real for name, real in self.aliases.items() if fnmatchcase(name, pattern)}
        return [found for found in self.environments if found.path in paths or fnmatchcase(found.path, pattern)]

    def visible(self, environment: PythonEnvironment) -> list[Distribution]:
        """Return what the environment sees: its own distributions, then those of its base."""
        bases = (found for found in self.environments if environment.base and found.path == environment.base)
        return [*environment.distributions, *(known for base in bases for known in base.distributions)]


@dataclass(frozen=True)
class _Site:
    path: str
    prefix: str
    version: str
    kind: str


def read_python_packages(scene: Scene) -> PythonPackages:
    """Return the environments of the target. Raises FactError if there are too many."""
    sites, configurations = _search(scene.tree)
    interpreters = list(_interpreters(scene.engine))
    groups: dict[tuple[str, str], list[str]] = {}
    for interpreter in interpreters:
        groups[interpreter, _version(interpreter)] = []
    for site in sites:
        for path, version in _owners(site, interpreters):
            groups.setdefault((path, version), []).append(site.path)
    for folder in configurations:
        if not any(path == folder for path, _ in groups):
            groups[folder, ""] = []
    if len(groups) > MAX_ENVIRONMENTS:
        raise FactError(f"more than {MAX_ENVIRONMENTS} Python environments")
    reader = _Reader(scene.engine, scene.tree, {folder for folders in groups.values() for folder in folders})
    environments = [
        reader.environment(path, version, folders, path in configurations)
        for (path, version), folders in groups.items()
    ]
    ordered = sorted(environments, key=lambda environment: (environment.kind != "system", environment.path))
    return PythonPackages(tuple(ordered), dict(_aliases(scene.engine, interpreters)))


def _search(tree: Iterable[tuple[str, Stat]]) -> tuple[list[_Site], set[str]]:
    """Return the folders that hold distributions, and the folders of virtual environments."""
    sites: list[_Site] = []
    configurations: set[str] = set()
    for path, entry in tree:
        if path.endswith("/pyvenv.cfg") and entry.is_file:
            configurations.add(posixpath.dirname(path))
        elif path.endswith("-packages") and entry.is_dir and (match := _SITE.fullmatch(path)):
            sites.append(_Site(path, match["prefix"], match["version"], match["kind"]))
    return sites, configurations


def _interpreters(engine: Engine) -> Iterator[str]:
    """Yield the interpreters of the system, as ``/usr/bin/python3.11``."""
    for folder in (f"{SYSTEM}/bin", f"{LOCAL}/bin"):
        entry = engine.lstat(folder)
        for name in engine.listdir(folder) if entry and entry.is_dir else ():
            if _INTERPRETER.fullmatch(name):
                found = engine.stat(f"{folder}/{name}")
                if found and found.is_executable:
                    yield f"{folder}/{name}"


def _owners(site: _Site, interpreters: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (path of the environment, version) of all environments that look into ``site``.

    ``/usr/local/lib`` belongs to an interpreter in ``/usr/local/bin`` if that is there and looks into it, else to that
    in ``/usr/bin``, as on Debian (``dist-packages``) and Fedora. Debian's ``/usr/lib/python3`` serves every Python 3.
    """
    owners = []
    if site.prefix == LOCAL:
        local, system = (f"{prefix}/bin/python{site.version}" for prefix in (LOCAL, SYSTEM))
        owner = local if local in interpreters and site.kind == "site" else system
        owners = [owner] if owner in interpreters else []
    elif site.prefix == SYSTEM:
        candidates = (path for path in interpreters if path.startswith(f"{SYSTEM}/bin/"))
        owners = [path for path in candidates if f"{_version(path)}.".startswith(f"{site.version}.")]
    if not owners:
        yield site.prefix or "/", site.version
    for path in owners:
        yield path, _version(path)


def _version(interpreter: str) -> str:
    return interpreter.rpartition("python")[2]


def _aliases(engine: Engine, interpreters: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield (name, interpreter) for links such as ``python3`` and RHEL's ``platform-python``."""
    for path in (
        f"{SYSTEM}/bin/python3",
        f"{SYSTEM}/bin/python",
        f"{LOCAL}/bin/python3",
        f"{LOCAL}/bin/python",
        f"{SYSTEM}/libexec/platform-python",
    ):
        if engine.lstat(path) and (real := engine.resolve(path)) in interpreters:
            yield path, real


class _Reader:
    """Reads the metadata of all folders, from one listing of the tree."""

    def __init__(self, engine: Engine, tree: Iterable[tuple[str, Stat]], folders: set[str]) -> None:
        self._engine = engine
        self._below: dict[str, list[tuple[str, Stat]]] = {folder: [] for folder in folders}
        self._count = 0
        for path, entry in tree:
            folder = path.rpartition("/")[0]
            if folder in self._below:
                self._below[folder].append((path, entry))

    def environment(self, path: str, version: str, folders: Iterable[str], is_venv: bool) -> PythonEnvironment:
        base = _settings(self._engine, f"{path}/pyvenv.cfg") if is_venv else {}
        found: list[Distribution] = []
        unreadable: list[str] = []
        folders = sorted(folders, key=lambda folder: (not folder.startswith(f"{LOCAL}/"), len(folder), folder))
        for folder in folders:
            for entry, stat in sorted(self._below[folder]):
                self._read(entry, stat, found, unreadable)
        kind = "venv" if is_venv else "system" if _INTERPRETER.fullmatch(posixpath.basename(path)) else "prefix"
        return PythonEnvironment(
            path=clean_path(path),
            version=version or ".".join(base.get("version", base.get("version_info", "")).split(".")[:2]),
            kind=kind,
            base=_base(base, version),
            folders=tuple(clean_path(folder) for folder in folders),
            distributions=tuple(found),
            unreadable=tuple(unreadable),
        )

    def _read(self, path: str, entry: Stat, found: list[Distribution], unreadable: list[str]) -> None:
        kind = next((file for suffix, file in _METADATA if path.endswith(f".{suffix}")), "")
        if not kind:
            return
        self._count += 1
        if self._count > MAX_DISTRIBUTIONS:
            raise FactError(f"more than {MAX_DISTRIBUTIONS} Python distributions")
        try:
            data = self._engine.read(f"{path}/{kind}" if entry.is_dir else path, limit=MAX_HEADER, whole=False)
            name, version = parse_metadata(data)
        except ValidatorError as error:
            unreadable.append(f"{clean_path(path)}: {clean_path(error.message)}")
        else:
            found.append(Distribution(name, version, clean_path(path)))


def parse_metadata(data: bytes) -> tuple[str, str]:
    """Return (normalized name, version) of the head of a METADATA or PKG-INFO file.

    Raises FactError if one of them is not there, or is longer than any real one.
    """
    fields: dict[str, str] = {}
    for line in decode(data).split("\n"):
        if not line.strip():
            break
        key, _, value = line.partition(":")
        fields.setdefault(key.lower(), value.strip())
    name, version = fields.get("name", ""), fields.get("version", "")
    if not name or not version:
        raise FactError("no name or no version in the metadata of a Python distribution", "the file is damaged")
    if len(name) > MAX_VALUE or len(version) > MAX_VALUE:
        raise FactError(f"a name or version of more than {MAX_VALUE} characters", "the file is damaged")
    from packaging.utils import canonicalize_name  # with all that reads tags of wheels: when there is a name

    return canonicalize_name(name), version


def _settings(engine: Engine, path: str) -> dict[str, str]:
    """Return the keys of ``pyvenv.cfg``, in lower case; those of a file that cannot be read are none."""
    try:
        text = decode(engine.read(path, limit=MAX_HEADER, whole=False))
    except ValidatorError:
        return {}
    pairs = (line.partition("=") for line in text.splitlines())
    return {key.strip().lower(): value.strip()[:MAX_VALUE] for key, _, value in pairs}


def _base(settings: dict[str, str], version: str) -> str:
    """Return the interpreter whose distributions a virtual environment sees too; empty if it sees none."""
    if settings.get("include-system-site-packages", "").lower() != "true" or "home" not in settings:
        return ""
    return posixpath.join(settings["home"], f"python{version}")
