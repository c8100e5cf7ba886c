"""What has to be stored, and where: questions and answers. All sizes are bytes."""

from typing import Final

from diskimage_validator.facts.live.space import Space
from diskimage_validator.frozen import dataclass
from diskimage_validator.readiness.asking import Ask
from diskimage_validator.readiness.facts.servers import names_in, registry_name, server_of
from diskimage_validator.readiness.secret import Secret

REPOMD: Final = "repodata/repomd.xml"
"""Where the index of an RPM repository is, which names its other files."""


@dataclass(frozen=True)
class Stored:
    """One thing that takes room: ``digest`` is the same for the same content, wherever it is listed."""

    digest: str
    size: int


@dataclass(frozen=True)
class ContainerImage:
    """What a registry stores for an image: manifests, configurations and layers, each once, as it sends them.

    ``platforms``: those that it has; ``missing``: those that were asked for and are not there.
    """

    blobs: tuple[Stored, ...]
    platforms: tuple[str, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class AskContainerImage(Ask[ContainerImage]):
    """The size of an image for some platforms; ``auth``: credentials."""

    image: str
    platforms: tuple[str, ...]
    auth: Secret | None

    @property
    def target(self) -> str:
        """The registry."""
        return self.image.partition("/")[0]

    @property
    def host_server_names(self) -> tuple[str, ...]:
        """The registry: skopeo cannot be told an address."""
        return registry_name(self.image)

    @property
    def what(self) -> str:
        """The tool that asks."""
        return f"skopeo inspect --raw {self.image}, {', '.join(self.platforms)}"


@dataclass(frozen=True)
class PackageSet:
    """Packages of an index, each file once.

    ``missing``: names that were asked for and are not there; ``unmet``: relations of theirs that nothing in the index
    satisfies.
    """

    files: tuple[Stored, ...]
    missing: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()


@dataclass(frozen=True)
class AskPackages(Ask[PackageSet]):
    """The size of ``packages`` with all that they depend on, or of everything in the index without any.

    ``also``: further indices, in which they may be as well.
    """

    index: str
    packages: tuple[str, ...]
    also: tuple[str, ...] = ()

    @property
    def indices(self) -> tuple[str, ...]:
        """All of them."""
        return (self.index, *self.also)

    @property
    def target(self) -> str:
        """The mirrors; a file is this host's."""
        return ", ".join(dict.fromkeys(_place(index) for index in self.indices))

    @property
    def server_names(self) -> tuple[str, ...]:
        """The mirrors."""
        return names_in(*self.indices)

    @property
    def what(self) -> str:
        """A request for each; of an RPM repository, one more, for the list that its index names."""
        return "; ".join(f"{'GET' if '://' in index else 'read'} {index}" for index in self.indices)


@dataclass(frozen=True)
class AskSpace(Ask[Space]):
    """The free space at a folder of a running system."""

    node: str
    path: str

    @property
    def target(self) -> str:
        """The system."""
        return "this host" if self.node == "/" else self.node

    @property
    def what(self) -> str:
        """A command."""
        return f"df {self.path}"


def _place(index: str) -> str:
    return server_of(index) if "://" in index else "this host"
