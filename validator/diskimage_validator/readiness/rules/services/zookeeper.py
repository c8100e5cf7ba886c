"""Kind ``zookeeper``: the ensemble that Zuul and Nodepool coordinate themselves by."""

from typing import Annotated, Final, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from diskimage_validator.endpoints import Address
from diskimage_validator.readiness.rules.endpoints import ClientRules
from diskimage_validator.readiness.rules.fields import PortField, ServerField
from diskimage_validator.readiness.secret import SecretField
from diskimage_validator.rules.base import Model, NonEmpty

SECURE_PORT: Final = 2281
"""What Zuul and Nodepool call the usual ``secureClientPort``; ZooKeeper itself has no default."""


class EnsembleRules(Model):
    """A ZooKeeper ensemble. Clients come by TLS, with a certificate: Nodepool and Zuul take no other connection."""

    name: NonEmpty
    members: Annotated[list[ServerField], Field(min_length=1)]
    """All servers, ``HOST`` or ``HOST:PORT`` of their ``secureClientPort``, as their certificates name them."""
    min_members: Annotated[int, Field(ge=1)] = 3
    """How many serve at least. Of three, one may fail."""
    client: ClientRules
    digest: SecretField | None = None
    """``USER:PASSWORD`` of ZooKeeper's digest scheme, where ACLs ask for one."""
    chroot: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._-]+)+$")] | None = None
    """Below which node the factory keeps its own, as ``/zuul``: it is there, and this client may see it."""
    plain_port: PortField | None = 2181
    """The ``clientPort`` without TLS, which is closed; null if another service has it."""

    @model_validator(mode="after")
    def _enough(self) -> Self:
        named = len(set(self.addresses))
        if named < self.min_members:
            message = "{named} 'members' are named, and 'min_members' is {least}"
            raise PydanticCustomError("members", message, {"named": named, "least": self.min_members})
        return self

    @property
    def addresses(self) -> list[Address]:
        """The members with their ports."""
        return [Address(member.name, member.port or SECURE_PORT) for member in self.members]
