"""What a ``factory.yaml`` may say. A section that is left out asks for nothing."""

import ipaddress
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from diskimage_validator.endpoints import Address, parse_address
from diskimage_validator.engines.ssh.options import SCHEME, Destination
from diskimage_validator.errors import UsageError
from diskimage_validator.policy_model import WaiverRule
from diskimage_validator.readiness.secret import SecretField
from diskimage_validator.rules.base import Model, NonEmpty, SeverityField, section
from diskimage_validator.rules.endpoints import HostField

DNS_PORT = 53


def _ip(value: Any) -> str:
    try:
        return str(ipaddress.ip_address(value if isinstance(value, str) else ""))
    except ValueError as error:
        raise PydanticCustomError("ip", "an IP address is wanted, as text") from error


def _resolver(value: Any) -> Address:
    message = "the IP address of a resolver is wanted, such as '192.0.2.53' or '[2001:db8::53]:5353'"
    try:
        address = parse_address(value if isinstance(value, str) else "")
    except UsageError as error:
        raise PydanticCustomError("resolver", message) from error
    if address.ip is None:
        raise PydanticCustomError("resolver", message)
    return Address(address.name, address.port or DNS_PORT)


IpField = Annotated[str, BeforeValidator(_ip), Field(json_schema_extra={"examples": ["192.0.2.10", "2001:db8::10"]})]
ResolverField = Annotated[
    Address,
    BeforeValidator(_resolver),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "description": "ADDRESS[:PORT]", "examples": ["192.0.2.53"]}),
]


def _node(value: Any) -> str:
    if not isinstance(value, str) or not (value == "/" or value.startswith(f"{SCHEME}://")):
        raise PydanticCustomError("node", "a node is wanted, such as 'ssh://zuul@node.internal', or '/' for this host")
    try:
        if value != "/":
            Destination.parse(value)
    except UsageError as error:
        raise PydanticCustomError("node", "{message}", {"message": error.message}) from error
    return value


NodeField = Annotated[str, BeforeValidator(_node), Field(json_schema_extra={"examples": ["ssh://zuul@node.internal"]})]
PortField = Annotated[int, Field(ge=1, le=65535)]


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
    """Exactly what the name resolves to. Each is connected to; without them, one that the resolvers give."""
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


class DnsRules(Model):
    """The resolvers of the closed network."""

    resolvers: Annotated[list[ResolverField], Field(min_length=1)]
    public_names: list[HostField] = []
    """Names of the world outside. They must not resolve."""
    nodes: list[NodeField] = []
    """Build nodes, ``ssh://USER@HOST`` or ``/`` for this host: they must not be able to resolve the public names."""


class CertificateRules(Model):
    """What the certificates of all endpoints have to be like."""

    bundle: NonEmpty
    """PEM file of the CAs that the factory trusts: the one that is baked into its images."""
    min_days_left: Annotated[int, Field(ge=0)] = 30
    min_protocol: Literal["TLSv1.2", "TLSv1.3"] = "TLSv1.2"
    """Older ones are refused by the server."""
    min_rsa_bits: Annotated[int, Field(ge=2048)] = 2048
    images: list[NonEmpty] = []
    """Disk images of nodes: they have the bundle, and their own trust stores accept every endpoint."""


class LimitRules(Model):
    """What a run may take."""

    timeout: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Seconds for one probe's answer; a probe that asks twice may take twice as long."""
    parallel: Annotated[int, Field(ge=1, le=64)] = 16
    """Probes at a time."""


class FactoryRules(Model):
    """A ``factory.yaml``."""

    version: Literal[1]
    name: NonEmpty
    description: str = ""
    endpoints: list[ServiceEndpoint] = []
    dns: DnsRules | None = None
    certificates: CertificateRules | None = None
    limits: LimitRules = section(LimitRules)
    severity: dict[str, SeverityField] = {}
    waivers: list[WaiverRule] = []
