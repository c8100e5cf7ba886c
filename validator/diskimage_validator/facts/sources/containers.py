"""Docker, the tools of containers/image, and BuildKit: what their configuration, once merged, makes them contact."""

from typing import Final

from diskimage_validator.facts.containers import Containers
from diskimage_validator.facts.containers.docker import BUILDKIT, DAEMON
from diskimage_validator.facts.containers.registries import Registry
from diskimage_validator.facts.sources.found import Found

SHORT_NAMES: Final = "short-names"
_EFFECT: Final = "the registry is used without TLS or with any certificate"
_REMEDY: Final = "serve the registry with TLS, let the engine trust its CA (certs.d), and remove the setting"
_PURPOSES: Final = {"dns": "names", "http-proxy": "proxy", "https-proxy": "proxy", "registry-mirrors": "images"}


def read_container_endpoints(found: Found, containers: Containers) -> None:
    """Collect what container tools contact, and where they do not verify."""
    found.files += [(file.reader, file.path) for file in containers.files]
    for fault in containers.faults:
        kind = "docker" if "/docker/" in fault.path else "buildkit" if "/buildkit/" in fault.path else "containers"
        found.trouble(kind, fault.path, fault.line, fault.reason, refused=not fault.unreadable)
    for registry in containers.registries.registries:
        _registry(found, registry)
    _short_names(found, containers)
    _docker(found, containers)
    _buildkit(found, containers)


def _registry(found: Found, registry: Registry) -> None:
    if registry.blocked:
        return
    places = [(mirror.location, mirror.insecure, mirror.line) for mirror in registry.mirrors]
    for location, insecure, line in [*places, (registry.location or registry.prefix, registry.insecure, registry.line)]:
        found.endpoint("containers", "images", registry.path, line, location)
        if insecure:
            setting = f"insecure of {location}"
            found.switch("containers", registry.path, line, setting, "true", _EFFECT, _REMEDY)


def _short_names(found: Found, containers: Containers) -> None:
    registries = containers.registries
    for host in registries.search or ():
        for source in registries.sources(host):
            found.endpoint(SHORT_NAMES, "images", registries.search_path, registries.search_line, source)
    for alias in registries.aliases:
        for source in registries.sources(alias.target) if alias.target else ():
            found.endpoint(SHORT_NAMES, "images", alias.path, alias.line, source)


def _docker(found: Found, containers: Containers) -> None:
    for named in containers.daemon.named if containers.daemon else ():
        if named.key == "insecure-registries":
            found.switch("docker", DAEMON, named.line, named.key, named.value, _EFFECT, _REMEDY)
        elif named.key in _PURPOSES:
            found.endpoint("docker", _PURPOSES[named.key], DAEMON, named.line, named.value)


def _buildkit(found: Found, containers: Containers) -> None:
    for registry in containers.buildkit:
        for location in registry.mirrors or (registry.host,):
            found.endpoint("buildkit", "images", BUILDKIT, registry.line, location)
        for key, on in (("http", registry.http), ("insecure", registry.insecure)):
            if on:
                setting = f"{key} of {registry.host}"
                found.switch("buildkit", BUILDKIT, registry.line, setting, "true", _EFFECT, _REMEDY)
    for server in containers.name_servers:
        found.endpoint("buildkit", "names", BUILDKIT, server.line, server.value)
