"""What a launcher of Nodepool tells on its status page (nodepool/webapp.py and nodepool/status.py of Nodepool 11)."""

from diskimage_validator.frozen import dataclass
from diskimage_validator.readiness.asking import Ask
from diskimage_validator.readiness.facts.servers import ServerAsk
from diskimage_validator.readiness.facts.trouble import Trouble


@dataclass(frozen=True)
class Launcher:
    """``ready``: whether all of its providers have been started."""

    ready: bool


@dataclass(frozen=True)
class AskLauncher(ServerAsk, Ask[Launcher | Trouble]):
    """``/ready``: it is answered out of the launcher's memory."""

    @property
    def what(self) -> str:
        """One request."""
        return "GET /ready"


@dataclass(frozen=True)
class Labels:
    """The labels that are offered by all launchers together, sorted."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class AskLabels(ServerAsk, Ask[Labels | Trouble]):
    """``/label-list``."""

    @property
    def what(self) -> str:
        """One request."""
        return "GET /label-list"


@dataclass(frozen=True)
class Images:
    """``builds``: (image, state) of every build that there is; ``uploads``: (image, provider, state).

    States are those of nodepool/zk/zookeeper.py: building, ready, failed, uploading, deleting. ``paused``: the images
    that are not built for now.
    """

    builds: tuple[tuple[str, str], ...]
    uploads: tuple[tuple[str, str, str], ...]
    paused: tuple[str, ...]


@dataclass(frozen=True)
class AskImages(ServerAsk, Ask[Images | Trouble]):
    """``/dib-image-list``, ``/image-list`` and ``/image-status``."""

    @property
    def what(self) -> str:
        """Three requests."""
        return "GET /dib-image-list, /image-list, /image-status"


@dataclass(frozen=True)
class Nodes:
    """(labels, state) of every node: ready, in-use, building, failed and so on."""

    found: tuple[tuple[tuple[str, ...], str], ...]


@dataclass(frozen=True)
class AskNodes(ServerAsk, Ask[Nodes | Trouble]):
    """``/node-list``."""

    @property
    def what(self) -> str:
        """One request."""
        return "GET /node-list"
