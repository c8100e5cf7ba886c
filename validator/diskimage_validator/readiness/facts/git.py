"""What Git servers have: questions and answers (gitprotocol-v2(5); Gerrit's REST API, /config/ and /projects/)."""

from diskimage_validator.frozen import dataclass
from diskimage_validator.readiness.asking import Ask
from diskimage_validator.readiness.facts.servers import ServerAsk
from diskimage_validator.readiness.facts.trouble import Trouble
from diskimage_validator.readiness.secret import Secret


@dataclass(frozen=True)
class Branches:
    """The names of all branches, without ``refs/heads/``, in the server's order."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class AskRepository(ServerAsk, Ask[Branches | Trouble]):
    """The branches of the repository at ``url``; see ``GitRepository`` for the rest."""

    user: str | None
    password: Secret | None
    key: Secret | None
    known_hosts: str | None

    @property
    def what(self) -> str:
        """What a merger does first."""
        return "git ls-remote --heads"


@dataclass(frozen=True)
class GerritVersion:
    """The version of a Gerrit that answers."""

    version: str


@dataclass(frozen=True)
class AskGerrit(ServerAsk, Ask[GerritVersion | Trouble]):
    """``/config/server/version`` of the Gerrit at ``url``."""

    user: str | None
    password: Secret | None

    @property
    def what(self) -> str:
        """One request."""
        return "GET /config/server/version"


@dataclass(frozen=True)
class AskGerritProject(ServerAsk, Ask[Branches | Trouble]):
    """``/projects/NAME/branches/`` of the Gerrit at ``url``."""

    project: str
    user: str | None
    password: Secret | None

    @property
    def what(self) -> str:
        """One request."""
        return f"GET /projects/{self.project}/branches/"
