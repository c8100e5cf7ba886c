"""What the target is told to contact, and where it is told not to verify whom it talks to.

Read from the configuration of apt, dnf, zypper, pip, npm, git, docker, containers/image, BuildKit, of time and name
services, and from variables. What a tool would contact without any configuration is not here, but for the time and
name servers that are compiled into systemd's services: these run without being asked.
"""

import posixpath
from collections.abc import Callable
from typing import Final

from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.base import Unreadable
from diskimage_validator.facts.containers import Containers
from diskimage_validator.facts.scene import Scene
from diskimage_validator.facts.sources.apt import read_apt
from diskimage_validator.facts.sources.containers import read_container_endpoints
from diskimage_validator.facts.sources.dnf import read_dnf
from diskimage_validator.facts.sources.environment import read_environment
from diskimage_validator.facts.sources.found import Endpoint, Found, Switch, Trouble
from diskimage_validator.facts.sources.git import read_git
from diskimage_validator.facts.sources.npm import read_npm
from diskimage_validator.facts.sources.ntp import read_ntp
from diskimage_validator.facts.sources.pip import read_pip
from diskimage_validator.facts.sources.resolver import read_resolver
from diskimage_validator.facts.sources.zypper import read_zypper
from diskimage_validator.frozen import dataclass

READERS: Final[tuple[Callable[[Found], None], ...]] = (
    read_apt,
    read_dnf,
    read_zypper,
    read_npm,
    read_git,
    read_ntp,
    read_resolver,
    read_environment,
)
MAX_ENVIRONMENTS: Final = 1_000


@dataclass(frozen=True)
class ConfigurationFile:
    """A file that was read; ``kind`` is whose configuration it is."""

    kind: str
    path: str


@dataclass(frozen=True)
class Endpoints:
    """Everything that was found, in the order of the readers. Nothing in it is a secret."""

    endpoints: tuple[Endpoint, ...]
    switches: tuple[Switch, ...]
    troubles: tuple[Trouble, ...]
    files: tuple[ConfigurationFile, ...]


def read_endpoints(scene: Scene) -> Endpoints:
    """Return what all readers find. A file that cannot be read or parsed becomes a trouble. Raises nothing."""
    found = Found(scene.engine, scene.fact("services"))
    for read in READERS:
        read(found)
    read_pip(found, _environments(scene, found))
    containers: Containers | Unreadable = scene.fact("containers")
    if isinstance(containers, Unreadable):
        found.trouble("containers", "/etc/containers", 0, containers.reason, refused=False)
    else:
        read_container_endpoints(found, containers)
    return Endpoints(
        tuple(found.endpoints),
        tuple(found.switches),
        tuple(found.troubles),
        tuple(ConfigurationFile(kind, path) for kind, path in found.files),
    )


def _environments(scene: Scene, found: Found) -> list[str]:
    """Return the folders of Python's virtual environments, wherever they are."""
    try:
        marks = (path for path, _ in scene.tree if path.endswith("/pyvenv.cfg"))
        return [posixpath.dirname(path) for _, path in zip(range(MAX_ENVIRONMENTS), marks, strict=False)]
    except ValidatorError as error:
        found.trouble("pip", "/", 0, f"cannot look for virtual environments: {error.message}", refused=False)
        return []
