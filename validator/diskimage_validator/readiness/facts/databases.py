"""What database servers say of themselves: questions and answers."""

from diskimage_validator.endpoints import Address
from diskimage_validator.frozen import dataclass
from diskimage_validator.readiness.asking import Ask
from diskimage_validator.readiness.facts.servers import name_of
from diskimage_validator.readiness.facts.tls import Knock
from diskimage_validator.readiness.facts.trouble import Trouble
from diskimage_validator.readiness.secret import Secret

PRODUCTS = {"postgresql": "PostgreSQL", "mysql": "MariaDB or MySQL"}


@dataclass(frozen=True)
class Stream:
    """How a replica receives: ``lag``: seconds behind, None if it cannot tell; ``detail``: what it says, in words.

    ``source``: the ``identity`` of the server that it receives from, as that calls itself; empty if it cannot tell.
    """

    running: bool
    lag: float | None
    detail: str
    source: str = ""


@dataclass(frozen=True)
class Receivers:
    """Who receives from a server now: how many, in words, and the seconds that the slowest is behind, if it tells."""

    count: int
    detail: str = ""
    lag: float | None = None


@dataclass(frozen=True)
class Cluster:
    """What a node of a Galera cluster says (``wsrep_*``): how many nodes it sees, and whether it is one of them."""

    size: int
    status: str
    state: str
    ready: bool

    @property
    def healthy(self) -> bool:
        """Whether the node is in the primary component, has all, and takes queries."""
        return self.ready and self.status == "Primary" and self.state == "Synced"


@dataclass(frozen=True)
class DatabaseServer:
    """A server, as a user of a database sees it.

    ``version``: with the product's name; ``protocol``: of TLS; ``writable``: whether it is no replica and not
    read-only; ``streams``: what it replicates, of a replica; ``receivers``: None if this user may not know, and then
    ``missing`` says which privilege it lacks; ``cluster``: of a Galera node; ``plain``: what becomes of who comes
    without TLS; ``trouble``: why none of that but ``plain`` is here; ``identity``: what servers that receive from it
    know it by, in words, empty if this user may not know.
    """

    version: str = ""
    protocol: str = ""
    writable: bool = False
    streams: tuple[Stream, ...] = ()
    receivers: Receivers | None = None
    missing: str = ""
    cluster: Cluster | None = None
    plain: Knock | None = None
    trouble: Trouble | None = None
    identity: str = ""


@dataclass(frozen=True)
class AskDatabase(Ask[DatabaseServer]):
    """The state of the server at ``address``, as ``user`` of ``database`` sees it."""

    kind: str
    address: Address
    database: str
    user: str
    password: Secret | None
    certificate: str
    key: Secret | None

    @property
    def target(self) -> str:
        """The server."""
        return str(self.address)

    @property
    def server_names(self) -> tuple[str, ...]:
        """The server."""
        return name_of(self.address)

    @property
    def what(self) -> str:
        """A login, and an attempt at one without TLS, which stops before a password is sent."""
        client = f", client certificate {self.certificate}" if self.certificate else ""
        return (
            f"{PRODUCTS[self.kind]} with TLS{client}: as {self.user}, the state of the server and of replication,"
            f" read-only, in the database {self.database}; whether it does without TLS"
        )
