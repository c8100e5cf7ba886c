"""The configuration of container engines and tools: registries, signatures, storage, who may use Docker."""

from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.containers.docker import (
    BuildkitRegistry,
    Daemon,
    Named,
    read_buildkit,
    read_daemon,
)
from diskimage_validator.facts.containers.files import ConfigFile, ConfigFiles, Fault, typed
from diskimage_validator.facts.containers.registries import Registries, read_registries
from diskimage_validator.facts.containers.signatures import Signatures, read_signatures
from diskimage_validator.facts.formats.base import Malformed
from diskimage_validator.facts.formats.toml_text import parse_toml
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import decode

STORAGE: Final = ("/etc/containers/storage.conf", "/usr/share/containers/storage.conf")
CONTAINERS_CONF: Final = ("/usr/share/containers/containers.conf", "/etc/containers/containers.conf")
CONTAINERS_CONF_PARTS: Final = ("/usr/share/containers/containers.conf.d", "/etc/containers/containers.conf.d")
CERTIFICATES: Final = ("/etc/docker/certs.d", "/etc/containers/certs.d")
DEFAULT_ROOT: Final = {"docker": "/var/lib/docker", "podman": "/var/lib/containers/storage"}
GROUP_LIMIT: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class Storage:
    """Where an engine keeps images. ``driver`` is empty if the engine chooses; ``path`` if no file says anything."""

    engine: str
    driver: str
    root: str
    path: str
    line: int


@dataclass(frozen=True)
class Containers:
    """All about containers. ``docker_group`` are the members of the group ``docker``, None if there is no such group.

    ``not_folders`` are entries of ``certs.d`` that are no folder; ``faults`` name the files that a tool refuses or that
    could not be read.
    """

    docker_group: tuple[str, ...] | None
    files: tuple[ConfigFile, ...]
    faults: tuple[Fault, ...]
    registries: Registries
    signatures: Signatures | None
    daemon: Daemon | None
    buildkit: tuple[BuildkitRegistry, ...]
    name_servers: tuple[Named, ...]
    storage: tuple[Storage, ...]
    not_folders: tuple[str, ...]

    def faults_of(self, *prefixes: str) -> list[Fault]:
        """Return what is wrong with files whose paths begin so."""
        return [fault for fault in self.faults if fault.path.startswith(prefixes)]


def read_containers(engine: Engine) -> Containers:
    """Return everything about containers. Raises what the engine raises for /etc/group."""
    files = ConfigFiles(engine)
    registries = read_registries(files)
    signatures = read_signatures(files)
    daemon = read_daemon(files)
    buildkit, name_servers = read_buildkit(files)
    podman_storage = _podman_storage(files)
    for path in CONTAINERS_CONF:
        files.read("containers", path, parse_toml)
    for folder in CONTAINERS_CONF_PARTS:
        for path in files.names(folder, ".conf"):
            files.read("containers", path, parse_toml)
    not_folders = tuple(_not_folders(files))
    return Containers(
        docker_group=_members(engine, "docker"),
        files=tuple(files.files),
        faults=tuple(files.faults),
        registries=registries,
        signatures=signatures,
        daemon=daemon,
        buildkit=buildkit,
        name_servers=name_servers,
        storage=(_docker_storage(daemon), podman_storage),
        not_folders=not_folders,
    )


def _members(engine: Engine, group: str) -> tuple[str, ...] | None:
    if not engine.exists("/etc/group"):
        return None
    for line in decode(engine.read("/etc/group", limit=GROUP_LIMIT)).split("\n"):
        fields = line.split(":")
        if len(fields) == 4 and fields[0] == group:
            return tuple(name for name in fields[3].split(",") if name)
    return None


def _docker_storage(daemon: Daemon | None) -> Storage:
    if daemon is None:
        return Storage("docker", "", DEFAULT_ROOT["docker"], "", 0)
    root = daemon.root or DEFAULT_ROOT["docker"]
    return Storage("docker", daemon.driver, root, daemon.path, daemon.root_line or daemon.driver_line)


def _podman_storage(files: ConfigFiles) -> Storage:
    default = Storage("podman", "", DEFAULT_ROOT["podman"], "", 0)
    path = files.first(*STORAGE)
    document = files.read("containers", path, parse_toml) if path else None
    if path is None or document is None:
        return default
    try:
        table = typed(document.data, "storage", dict, {}, document.line("storage"))
        driver = typed(table, "driver", str, "", document.line("storage", "driver"))
        root = typed(table, "graphroot", str, "", document.line("storage", "graphroot"))
    except Malformed as error:
        files.fault(path, error.line, error.reason)
        return default
    line = document.line("storage", "graphroot") if root else document.line("storage", "driver")
    return Storage("podman", driver, root or default.root, path, line)


def _not_folders(files: ConfigFiles) -> list[str]:
    found = []
    for folder in CERTIFICATES:
        for path in (folder, *files.names(folder)):
            try:
                entry = files.engine.stat(path)
            except ValidatorError as error:
                files.fault(path, 0, error.message, unreadable=True)
                continue
            if entry is not None and not entry.is_dir:
                found.append(path)
    return found
