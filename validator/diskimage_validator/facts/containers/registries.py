"""registries.conf and its drop-ins, merged as the library of podman, buildah and skopeo does.

Source: containers-registries.conf(5), containers-registries.conf.d(5) and the library's ``pkg/sysregistriesv2``. One
file that the library refuses is enough for every tool to stop.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import field, replace
from typing import Any, Final

from diskimage_validator.facts.containers.files import ConfigFiles, lookup, texts, typed
from diskimage_validator.facts.formats.base import Malformed
from diskimage_validator.facts.formats.toml_text import TomlText, parse_toml
from diskimage_validator.facts.sources.urls import locate
from diskimage_validator.frozen import dataclass

MAIN: Final = ("/etc/containers/registries.conf", "/usr/share/containers/registries.conf")
DROP_INS: Final = "/etc/containers/registries.conf.d"
MODES: Final = ("enforcing", "permissive", "disabled")
MAX_ENTRIES: Final = 10_000
_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\])"
    r"(?::[0-9]+)?"
)
_SHORT_NAME: Final = re.compile(r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*")
"""A name without registry, tag and digest."""


@dataclass(frozen=True)
class Mirror:
    """A place that is asked before the registry itself."""

    location: str
    insecure: bool
    line: int


@dataclass(frozen=True)
class Registry:
    """One ``[[registry]]`` table. ``location`` is empty where the prefix is a wildcard and the name itself counts.

    ``has_prefix``: the table has the key ``prefix``; Zuul's roles need that.
    """

    prefix: str
    location: str
    insecure: bool
    blocked: bool
    mirrors: tuple[Mirror, ...]
    path: str
    line: int
    has_prefix: bool

    def matches(self, name: str) -> bool:
        """Whether this is the table for the image ``name``, if no other has a longer prefix."""
        if self.prefix.startswith("*."):
            host = name.partition("/")[0].partition(":")[0]
            return host.endswith(self.prefix[1:])
        return name.startswith(self.prefix) and name[len(self.prefix) :][:1] in ("", ":", "/", "@")

    def sources(self, name: str) -> list[str]:
        """Return where the image ``name`` is fetched from, in order; nowhere if the registry is blocked."""
        if self.blocked:
            return []
        return [*(mirror.location for mirror in self.mirrors), self.location or name]


@dataclass(frozen=True)
class Alias:
    """A short name, and the full one that it stands for."""

    name: str
    target: str
    path: str
    line: int


@dataclass(frozen=True)
class Registries:
    """What the library knows after all files. ``search`` is None if no file sets it; paths and lines say where."""

    main: str = ""
    registries: tuple[Registry, ...] = ()
    search: tuple[str, ...] | None = None
    search_path: str = ""
    search_line: int = 0
    short_name_mode: str = "permissive"
    mode_path: str = ""
    mode_line: int = 0
    aliases: tuple[Alias, ...] = ()
    tables: tuple[Registry, ...] = field(default=())
    """Every table of every file, those that another one hides included."""

    def find(self, name: str) -> Registry | None:
        """Return the table with the longest prefix of the image ``name``."""
        matching = [registry for registry in self.registries if registry.matches(name)]
        return max(matching, key=lambda registry: len(registry.prefix), default=None)

    def sources(self, name: str) -> list[str]:
        """Return where the image ``name`` is fetched from."""
        registry = self.find(name)
        return registry.sources(name) if registry else [name]


def read_registries(files: ConfigFiles) -> Registries:
    """Return what the files say, merged. What is wrong with them is in ``files`` then."""
    main = files.first(*MAIN)
    merged = Registries(main=main or "")
    for path in [*([main] if main else []), *files.names(DROP_INS, ".conf")]:
        document = files.read("containers", path, parse_toml)
        if document is not None:
            try:
                merged = merge(merged, parse_registries(path, document))
            except Malformed as error:
                files.fault(path, error.line, error.reason)
    return merged


def merge(base: Registries, update: Registries) -> Registries:
    """Return ``base`` with what a later file says: tables and aliases by name, the rest as a whole."""
    registries = {registry.prefix: registry for registry in (*base.registries, *update.registries)}
    aliases = {alias.name: alias for alias in (*base.aliases, *update.aliases)}
    merged = replace(
        base,
        registries=tuple(registries[prefix] for prefix in sorted(registries)),
        aliases=tuple(aliases.values())[:MAX_ENTRIES],
        tables=(*base.tables, *update.tables)[:MAX_ENTRIES],
    )
    if update.search is not None:
        merged = replace(merged, search=update.search, search_path=update.search_path, search_line=update.search_line)
    if update.mode_path:
        merged = replace(
            merged, short_name_mode=update.short_name_mode, mode_path=update.mode_path, mode_line=update.mode_line
        )
    return merged


def parse_registries(path: str, document: TomlText) -> Registries:
    """Return what one file says. Raises Malformed if the library refuses it."""
    data = document.data
    if _is_version_1(data):
        raise Malformed(document.line("registries"), "the old format (version 1), which is no longer read")
    tables = tuple(_tables(path, document))
    _conflicts(tables)
    first = {registry.prefix: registry for registry in reversed(tables)}
    search = texts(data, "unqualified-search-registries", document.line("unqualified-search-registries"))
    for host in search or ():
        if not _HOST.fullmatch(host.rstrip("/")):
            raise Malformed(document.line("unqualified-search-registries"), "an entry that is no host of a registry")
    mode_line = document.line("short-name-mode")
    mode = typed(data, "short-name-mode", str, "", mode_line)
    if mode and mode not in MODES:
        raise Malformed(mode_line, f"short-name-mode is one of {', '.join(MODES)}")
    return Registries(
        registries=tuple(first.values()),
        search=None if search is None else tuple(host.rstrip("/") for host in search),
        search_path=path,
        search_line=document.line("unqualified-search-registries"),
        short_name_mode=mode,
        mode_path=path if mode else "",
        mode_line=mode_line,
        aliases=tuple(_aliases(path, document)),
        tables=tables,
    )


def _is_version_1(data: dict[str, Any]) -> bool:
    old = lookup(data, "registries")
    return isinstance(old, dict) and any(
        isinstance(part := lookup(old, key), dict) and lookup(part, "registries") is not None
        for key in ("search", "insecure", "block")
    )


def _tables(path: str, document: TomlText) -> Iterator[Registry]:
    entries: list[Any] = typed(document.data, "registry", list, [], document.line("registry"))
    for index, entry in enumerate(entries[:MAX_ENTRIES]):
        line = document.line("registry", index)
        if not isinstance(entry, dict):
            raise Malformed(line, "registry has to be a list of tables")
        given = typed(entry, "prefix", str, "", line)
        location = _location(typed(entry, "location", str, "", line), line)
        prefix = _location(given, line) or location
        if not prefix:
            raise Malformed(line, "a registry with neither prefix nor location")
        if not location and not prefix.startswith("*."):
            raise Malformed(line, f"the registry {prefix} has no location")
        if prefix.startswith("*.") and re.search("[/@:]", prefix):
            raise Malformed(line, f"the wildcard {prefix} has more than a host")
        yield Registry(
            prefix=prefix,
            location=location,
            insecure=typed(entry, "insecure", bool, False, line),
            blocked=typed(entry, "blocked", bool, False, line),
            mirrors=tuple(_mirrors(entry, document, index)),
            path=path,
            line=line,
            has_prefix=bool(given) and "prefix" in entry,
        )


def _mirrors(entry: dict[str, Any], document: TomlText, index: int) -> Iterator[Mirror]:
    line = document.line("registry", index, "mirror")
    mirrors: list[Any] = typed(entry, "mirror", list, [], line)
    for number, mirror in enumerate(mirrors[:MAX_ENTRIES]):
        line = document.line("registry", index, "mirror", number)
        if not isinstance(mirror, dict):
            raise Malformed(line, "mirror has to be a list of tables")
        location = _location(typed(mirror, "location", str, "", line), line)
        if not location:
            raise Malformed(line, "a mirror without location")
        yield Mirror(location, typed(mirror, "insecure", bool, False, line), line)


def _location(text: str, line: int) -> str:
    text = text.rstrip("/")
    if text.startswith(("http://", "https://")):
        raise Malformed(line, f"{text.partition('//')[0]}//...: a location has no scheme")
    return locate(text).shown if "@" in text else text


def _conflicts(tables: Iterable[Registry]) -> None:
    """Raise Malformed if two tables of one location contradict each other."""
    seen: dict[str, Registry] = {}
    for table in tables:
        other = seen.setdefault(table.location or table.prefix, table)
        for what in ("insecure", "blocked"):
            if getattr(other, what) != getattr(table, what):
                raise Malformed(table.line, f"{table.location or table.prefix} comes twice, with another '{what}'")


def _aliases(path: str, document: TomlText) -> Iterator[Alias]:
    aliases: dict[str, Any] = typed(document.data, "aliases", dict, {}, document.line("aliases"))
    for name, target in list(aliases.items())[:MAX_ENTRIES]:
        line = document.line("aliases", name)
        if not isinstance(target, str):
            raise Malformed(line, f"the alias {name!r} has to be text")
        if not _SHORT_NAME.fullmatch(name) or re.search(
            r"\.|^localhost$", name.partition("/")[0] if "/" in name else ""
        ):
            raise Malformed(line, f"{name!r} is no short name")
        host, _, repository = target.partition("/")
        is_host = _HOST.fullmatch(host) and re.search(r"[.:]|^localhost$", host)
        if target and not (is_host and _SHORT_NAME.fullmatch(repository)):
            raise Malformed(line, f"the alias {name!r} stands for no full name of an image")
        yield Alias(name, target, path, line)
