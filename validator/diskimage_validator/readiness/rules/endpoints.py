"""Section ``endpoints``: what nodes and people of the factory reach by a name."""

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from diskimage_validator.endpoints import Address
from diskimage_validator.readiness.rules.fields import IpField, PortField
from diskimage_validator.readiness.secret import SecretField
from diskimage_validator.rules.base import Model, NonEmpty
from diskimage_validator.rules.endpoints import HostField


class ClientRules(Model):
    """What this tool shows a server that wants to know its clients (mutual TLS)."""

    certificate: NonEmpty
    """PEM file with the client's certificate and its intermediate CAs, relative to the ``factory.yaml``."""
    key: SecretField
    """Its private key, PEM, without a passphrase."""


class ServiceEndpoint(Model):
    """Something that nodes and people of the factory reach by a name: Zuul's web, logs, a registry, a mirror."""

    name: HostField
    port: PortField = 443
    addresses: Annotated[list[IpField], Field(min_length=1)] | None = None
    """Exactly what the name resolves to, so that entries with the same name have the same, or one of them has them.
    Each is connected to; without them, one that the resolvers give."""
    reverse: bool = False
    """Whether the addresses have to resolve back to the name (PTR)."""
    tls: bool = True
    http: bool = True
    """Whether it speaks HTTP: many web servers refuse an unknown client with a status, after the handshake."""
    client: ClientRules | None = None
    """The server has to accept this client, and to refuse one without a certificate."""

    @model_validator(mode="after")
    def _needs(self) -> Self:
        if self.reverse and not self.addresses:
            raise PydanticCustomError("reverse", "'reverse' needs 'addresses'")
        if self.client and not self.tls:
            raise PydanticCustomError("client", "'client' needs 'tls'")
        return self

    @property
    def address(self) -> Address:
        """Name and port."""
        return Address(self.name, self.port)
