"""Kind ``databases``: where Zuul keeps what it has built."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from diskimage_validator.endpoints import Address
from diskimage_validator.readiness.rules.endpoints import ClientRules
from diskimage_validator.readiness.rules.fields import ServerField
from diskimage_validator.readiness.secret import SecretField
from diskimage_validator.rules.base import Model, NonEmpty

PORTS: Final = {"postgresql": 5432, "mysql": 3306}


class DatabaseRules(Model):
    """A database, on one server, or on several that replicate it or are a Galera cluster."""

    name: NonEmpty
    kind: Literal["postgresql", "mysql"]
    """``mysql`` is the protocol: MariaDB and MySQL."""
    servers: Annotated[list[ServerField], Field(min_length=1)]
    """``HOST`` or ``HOST:PORT``, as their certificates name them. One of them takes writes, in a cluster all."""
    database: NonEmpty
    user: NonEmpty
    """Reads states and nothing else: PostgreSQL ``pg_monitor``, MariaDB ``REPLICA MONITOR``, MySQL ``REPLICATION
    CLIENT`` and ``REPLICATION SLAVE``."""
    password: SecretField | None = None
    client: ClientRules | None = None
    """Certificate and key of the user, where the server asks for one."""
    min_replicas: Annotated[int, Field(ge=0)] = 0
    """How many receive from the primary now."""
    max_lag: Annotated[float, Field(ge=0)] = 60
    """Seconds that a replica may be behind."""
    cluster_size: Annotated[int, Field(ge=1)] | None = None
    """How many nodes of a Galera cluster see each other, at least; as many as are named, if left out."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.cluster_size and self.kind != "mysql":
            raise PydanticCustomError("cluster_size", "'cluster_size' is of Galera clusters, kind 'mysql'")
        if not self.password and not self.client:
            raise PydanticCustomError("one_of", "give 'password', 'client', or both")
        return self

    @property
    def addresses(self) -> list[Address]:
        """The servers with their ports."""
        return [Address(server.name, server.port or PORTS[self.kind]) for server in self.servers]
