"""Section ``dns``: the resolvers of the closed network."""

from typing import Annotated

from pydantic import Field

from diskimage_validator.readiness.rules.fields import NodeField, ResolverField
from diskimage_validator.rules.base import Model
from diskimage_validator.rules.endpoints import HostField


class DnsRules(Model):
    """The resolvers of the closed network."""

    resolvers: Annotated[list[ResolverField], Field(min_length=1)]
    public_names: list[HostField] = []
    """Names of the world outside. They must not resolve."""
    nodes: list[NodeField] = []
    """Build nodes, ``ssh://USER@HOST`` or ``/`` for this host: they must not be able to resolve the public names."""
