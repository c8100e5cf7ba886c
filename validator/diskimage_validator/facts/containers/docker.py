"""Docker's daemon.json and BuildKit's buildkitd.toml: dockerd(8) "Daemon configuration file", BuildKit's own docs."""

from typing import Any, Final

from diskimage_validator.facts.containers.files import ConfigFiles, lookup, texts, typed
from diskimage_validator.facts.formats.base import Malformed
from diskimage_validator.facts.formats.json_text import JsonText, parse_json
from diskimage_validator.facts.formats.toml_text import TomlText, parse_toml
from diskimage_validator.facts.sources.urls import locate
from diskimage_validator.frozen import dataclass

DAEMON: Final = "/etc/docker/daemon.json"
BUILDKIT: Final = "/etc/buildkit/buildkitd.toml"
MAX_ENTRIES: Final = 5_000


@dataclass(frozen=True)
class Named:
    """A value that names a place: ``key`` is the setting, ``value`` a URL, host or network, without its password."""

    key: str
    value: str
    line: int


@dataclass(frozen=True)
class Daemon:
    """What daemon.json says that is of interest. ``driver`` and ``root`` are empty where Docker's defaults hold."""

    path: str
    named: tuple[Named, ...]
    driver: str = ""
    driver_line: int = 0
    root: str = ""
    root_line: int = 0


@dataclass(frozen=True)
class BuildkitRegistry:
    """A ``[registry."host"]`` table."""

    host: str
    mirrors: tuple[str, ...]
    http: bool
    insecure: bool
    line: int


def read_daemon(files: ConfigFiles) -> Daemon | None:
    """Return what daemon.json says; None if it is not there or faulty, which is in ``files`` then."""
    document = files.read("docker", DAEMON, parse_json)
    if document is None:
        return None
    try:
        return _daemon(document)
    except Malformed as error:
        files.fault(DAEMON, error.line, error.reason)
        return None


def _daemon(document: JsonText) -> Daemon:
    data = document.data
    if not isinstance(data, dict):
        raise Malformed(1, "no JSON object")
    if document.duplicates:
        key = document.duplicates[0]
        raise Malformed(document.line(key), f"the key {key!r} comes twice")
    named: list[Named] = []
    for key in ("registry-mirrors", "insecure-registries", "dns", "allow-nondistributable-artifacts"):
        values = (texts(data, key, document.line(key)) or [])[:MAX_ENTRIES]
        named += [Named(key, locate(value).shown, document.line(key, value)) for value in values]
    proxies: dict[str, Any] = typed(data, "proxies", dict, {}, document.line("proxies"))
    for key in ("http-proxy", "https-proxy"):
        line = document.line("proxies", key)
        values = [typed(where, key, str, "", line) for where in (proxies, data)]
        named += [Named(key, locate(value).shown, line) for value in values if value]
    root_key = "data-root" if "data-root" in data else "graph"
    return Daemon(
        DAEMON,
        tuple(named),
        typed(data, "storage-driver", str, "", document.line("storage-driver")),
        document.line("storage-driver"),
        typed(data, root_key, str, "", document.line(root_key)),
        document.line(root_key),
    )


def read_buildkit(files: ConfigFiles) -> tuple[tuple[BuildkitRegistry, ...], tuple[Named, ...]]:
    """Return the registries and the name servers that buildkitd.toml names."""
    document = files.read("buildkit", BUILDKIT, parse_toml)
    if document is None:
        return (), ()
    try:
        return _buildkit(document), _name_servers(document)
    except Malformed as error:
        files.fault(BUILDKIT, error.line, error.reason)
        return (), ()


def _buildkit(document: TomlText) -> tuple[BuildkitRegistry, ...]:
    tables: dict[str, Any] = typed(document.data, "registry", dict, {}, document.line("registry"))
    found = []
    for host, table in list(tables.items())[:MAX_ENTRIES]:
        line = document.line("registry", host)
        if not isinstance(table, dict):
            raise Malformed(line, "registry has to have tables, one for each host")
        mirrors = texts(table, "mirrors", document.line("registry", host, "mirrors")) or []
        http = typed(table, "http", bool, False, document.line("registry", host, "http"))
        insecure = typed(table, "insecure", bool, False, document.line("registry", host, "insecure"))
        shown = tuple(locate(mirror).shown for mirror in mirrors[:MAX_ENTRIES])
        found.append(BuildkitRegistry(locate(host).shown, shown, http, insecure, line))
    return tuple(found)


def _name_servers(document: TomlText) -> tuple[Named, ...]:
    line = document.line("dns", "nameservers")
    dns = lookup(document.data, "dns")
    servers = (texts(dns, "nameservers", line) or []) if isinstance(dns, dict) else []
    return tuple(Named("dns.nameservers", server, line) for server in servers[:MAX_ENTRIES])
