"""Rules about container engines and their configuration."""

from typing import Annotated, Literal

from pydantic import Field

from diskimage_validator.rules.base import Model, NonEmpty, section

EngineName = Literal["docker", "podman"]
Requirement = Literal["insecureAcceptAnything", "reject", "signedBy", "signedBaseLayer", "sigstoreSigned"]


class RegistryRule(Model):
    """What registries.conf has to say about the images of ``prefix``; what is left out may be anything.

    ``mirrors`` is the whole list, in order. ``location`` is where images come from if no mirror has them.
    """

    prefix: NonEmpty
    location: NonEmpty | None = None
    mirrors: list[NonEmpty] | None = None
    blocked: bool | None = None


class SignatureRules(Model):
    """What policy.json has to require: by default, and for scopes of the transport ``docker`` (registries)."""

    default: Requirement | None = None
    scopes: dict[str, Requirement] = {}


class ContainerRules(Model):
    """How containers are run and where images come from.

    ``config``: every configuration file is one that its tool reads; ``engines``: at least one of them starts at boot;
    ``docker_users``: members of the group that may use Docker's socket, where there is a Docker; ``storage_drivers``
    and ``storage_roots``: what the engines that are there may use; ``registries``, ``search_registries`` (the whole
    list) and ``short_name_mode``: registries.conf and its drop-ins, merged; ``signatures``: policy.json;
    ``zuul_roles``: Zuul's roles can edit all that.
    """

    config: bool = False
    engines: Annotated[list[EngineName], Field(min_length=1)] | None = None
    docker_users: list[NonEmpty] = []
    storage_drivers: Annotated[list[NonEmpty], Field(min_length=1)] | None = None
    storage_roots: Annotated[list[NonEmpty], Field(min_length=1)] | None = None
    registries: list[RegistryRule] = []
    search_registries: list[NonEmpty] | None = None
    short_name_mode: Literal["enforcing", "permissive", "disabled"] | None = None
    signatures: SignatureRules = section(SignatureRules)
    zuul_roles: bool = False
