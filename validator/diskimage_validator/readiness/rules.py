"""What a ``factory.yaml`` may say. A section that is left out asks for nothing."""

import ipaddress
import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from diskimage_validator.endpoints import Address, parse_address
from diskimage_validator.engines.ssh.options import SCHEME, Destination
from diskimage_validator.errors import UsageError
from diskimage_validator.policy_model import WaiverRule
from diskimage_validator.readiness.secret import SecretField
from diskimage_validator.rules.base import Model, NonEmpty, SeverityField, SizeField, section
from diskimage_validator.rules.endpoints import HostField
from diskimage_validator.sizes import format_size

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


def _image(value: Any) -> str:
    if not isinstance(value, str) or not _IMAGE.fullmatch(value):
        message = "an image with its registry is wanted, such as 'registry.internal:5000/kolla/nova-api:2026.1'"
        raise PydanticCustomError("image", message)
    return value


_IMAGE: Final = re.compile(
    # Without a dot or a port, the first part would be no host, but a part of a name on a public registry.
    r"(?=[^/]*[.:])[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?"
    r"(/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
"""A reference of containers/image (docker/reference/reference.go) that names its registry."""
ImageField = Annotated[str, BeforeValidator(_image), Field(json_schema_extra={"examples": ["registry.internal/a:1"]})]
PlatformField = Annotated[str, Field(pattern=r"^[a-z0-9]+/[a-z0-9]+(/[a-z0-9]+)?$", examples=["linux/arm64/v8"])]
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


class PackageSource(Model):
    """An apt repository, or some packages of it."""

    index: Annotated[str, Field(pattern=r"^(https?://[^/@\s]+/\S*|/\S*|[^/:\s]\S*)$")]
    """A ``Packages`` file, as ``https://mirror.internal/debian/dists/bookworm/main/binary-amd64/Packages.xz``; or one
    of this host."""
    packages: Annotated[list[NonEmpty], Field(min_length=1)] | None = None
    """Only these, with all that they depend on; everything in the index if left out."""


class ImageSource(Model):
    """A container image that is wanted in the mirrors."""

    image: ImageField
    platforms: Annotated[list[PlatformField], Field(min_length=1)] = ["linux/amd64"]
    """``OS/ARCHITECTURE[/VARIANT]``, as in the image's index."""


class MirrorStore(Model):
    """Where mirrors live: a folder of a system, or an object store that tells its quota nowhere but in its contract."""

    path: Annotated[str, Field(pattern=r"^/")] | None = None
    node: NodeField = "/"
    """On which system the folder is: this host, or ``ssh://USER@HOST``."""
    quota: SizeField | None = None
    """Stated, of what cannot be asked."""
    name: NonEmpty | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.path is None) == (self.quota is None):
            raise PydanticCustomError("one_of", "give either 'path' or 'quota'")
        return self

    def __str__(self) -> str:
        return self.name or (f"quota of {format_size(self.quota or 0)}" if self.path is None else self.path)


class StorageRules(Model):
    """What the mirrors have to hold, and where."""

    images: list[ImageSource] = []
    packages: list[PackageSource] = []
    mirrors: Annotated[list[MirrorStore], Field(min_length=1)]
    """The room of all of them together counts."""
    factor: Annotated[float, Field(ge=1)] = 2.0
    """How many times the size has to fit: old and new images are there at once."""
    auth: SecretField | None = None
    """Credentials for the registries, containers-auth.json(5)."""


class NodeImage(Model):
    """A disk image that becomes the factory's build nodes."""

    image: NonEmpty
    """Relative to the ``factory.yaml``."""
    policy: NonEmpty | None = None
    """A shipped policy by its name, or a file; the image has to pass it now, with the CAs of the bundle."""
    report: NonEmpty | None = None
    """The JSON report that ``validate`` left when the image was built."""
    max_age_days: Annotated[int, Field(ge=1)] = 30
    """How old that report may be."""

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.policy is None and self.report is None:
            raise PydanticCustomError("one_of", "give 'policy', 'report', or both")
        return self


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
    storage: StorageRules | None = None
    node_images: list[NodeImage] = []
    limits: LimitRules = section(LimitRules)
    severity: dict[str, SeverityField] = {}
    waivers: list[WaiverRule] = []
