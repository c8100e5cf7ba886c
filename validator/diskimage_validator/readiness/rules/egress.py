"""Sections ``firewall`` and ``bootstrap``: where build nodes get to, and where they must not."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from diskimage_validator.readiness.rules.fields import IpField, NodeField, PortField
from diskimage_validator.readiness.secret import SecretField
from diskimage_validator.rules.base import DateField, Model
from diskimage_validator.rules.live import AddressField

Nodes = Annotated[list[NodeField], Field(min_length=1, max_length=64)]
Protocol = Literal["tcp", "dns"]


class Canary(Model):
    """Something beyond the firewall that listens there. An address: a name that does not resolve proves nothing."""

    address: IpField
    port: PortField | None = None
    protocol: Protocol = "tcp"
    """``dns`` is a question by UDP, to port 53 if there is no other."""

    @model_validator(mode="after")
    def _has_a_port(self) -> Self:
        if self.protocol == "tcp" and self.port is None:
            raise PydanticCustomError("port", "'tcp' needs 'port'")
        return self


class ProxyRules(Model):
    """An HTTP proxy that nodes may use, and what it may do for them."""

    proxy: AddressField
    allowed: Annotated[list[AddressField], Field(max_length=100)] = []
    """It makes a tunnel to these."""
    refused: Annotated[list[AddressField], Field(max_length=100)] = []
    """It says no to these. They may be names, which the proxy resolves."""
    credentials: SecretField | None = None
    """USER:PASSWORD, for the scheme Basic (RFC 7617)."""


class FirewallRules(Model):
    """What build nodes reach, and nothing else."""

    nodes: Nodes
    endpoints: bool = True
    """Whether every one of the factory's ``endpoints`` has to be reachable from every node; its resolvers, too."""
    reachable: Annotated[list[AddressField], Field(max_length=100)] = []
    """These as well."""
    canaries: Annotated[list[Canary], Field(max_length=100)] = []
    """These must not be."""
    proxies: Annotated[list[ProxyRules], Field(max_length=16)] = []
    ipv6: bool = True
    """Whether the nodes have IPv6. If not, it is enough that they have no way to a canary's IPv6 address. Else
    something of that family has to answer, or nobody knows why the canary does not."""
    reset_is_closed: bool = False
    """The firewall answers with TCP resets. Else nobody knows whether a reset is its own, or the canary's."""


class BootstrapPath(Model):
    """A way out that was open while the factory was built: an address, or a target through a proxy."""

    address: IpField | None = None
    port: PortField | None = None
    protocol: Protocol = "tcp"
    proxy: AddressField | None = None
    target: AddressField | None = None
    """What was fetched through the proxy."""
    credentials: SecretField | None = None
    note: str = ""
    closed_by: DateField | None = None
    """The day by which it had to be closed."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.address is None) == (self.proxy is None) or (self.proxy is None) != (self.target is None):
            raise PydanticCustomError("one_of", "give either 'address', or 'proxy' and 'target'")
        if self.address and self.protocol == "tcp" and self.port is None:
            raise PydanticCustomError("port", "'tcp' needs 'port'")
        if self.proxy and self.model_fields_set & {"port", "protocol"}:
            raise PydanticCustomError("port", "'port' and 'protocol' are those of an 'address'")
        if self.credentials and not self.proxy:
            raise PydanticCustomError("credentials", "'credentials' are for a 'proxy'")
        return self


class BootstrapRules(Model):
    """The temporary ways out of the build network, all closed again."""

    nodes: Nodes
    paths: Annotated[list[BootstrapPath], Field(min_length=1, max_length=100)]
    reset_is_closed: bool = False
    """As in ``firewall``."""
    ipv6: bool = True
    """As in ``firewall``."""
