"""Rules about packages and commands."""

from typing import Annotated, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from diskimage_validator.rules.base import CommandsField, Model, NonEmpty, RelationField


def _requirement(value: Any) -> Requirement:
    try:
        parsed = Requirement(value if isinstance(value, str) else "")
    except InvalidRequirement as error:
        raise PydanticCustomError("requirement", "a requirement such as 'pip>=22' is wanted") from error
    if parsed.url or parsed.extras or parsed.marker:
        raise PydanticCustomError("requirement", "name and versions only: no URL, no extras, no marker")
    parsed.name = canonicalize_name(parsed.name)
    return parsed


RequirementField = Annotated[
    Requirement,
    BeforeValidator(_requirement),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "description": "name and versions as in PEP 440", "examples": ["pip>=22"]}),
]
CommandPattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9+._*?\[\]!-]+$", examples=["gcc", "gcc-[0-9]*"])]


class StateRules(Model):
    """That no package is held, half-installed or waiting for something."""

    held: list[NonEmpty] = []
    """Patterns of packages that may be held."""
    removed: bool = True
    """Whether packages that were removed may have left their configuration."""


class OriginRules(Model):
    """Where packages may come from. A list that is left out is not looked at."""

    mirrors: Annotated[list[NonEmpty], Field(min_length=1)] | None = None
    """Patterns of host, or host and path, of apt's indices."""
    repositories: Annotated[list[NonEmpty], Field(min_length=1)] | None = None
    """Patterns of ids of dnf's repositories."""
    vendors: Annotated[list[NonEmpty], Field(min_length=1)] | None = None
    """Patterns of the vendor that a package names."""
    keys: Annotated[list[NonEmpty], Field(min_length=1)] | None = None
    """Ids of the keys that RPM packages are signed with: the last 16 hexadecimal digits, or more."""
    local: list[NonEmpty] = []
    """Patterns of packages that may come from anywhere."""


class PythonEnvironmentRules(Model):
    """What one Python environment has to have and must not have."""

    required: list[RequirementField] = []
    forbidden: list[RequirementField] = []


class PythonRules(Model):
    """Python distributions: ``required`` of the system's ``python3``, ``forbidden`` in every environment."""

    required: list[RequirementField] = []
    forbidden: list[RequirementField] = []
    environments: dict[str, PythonEnvironmentRules] = {}
    """By interpreter (``/usr/bin/python3``) or folder of a virtual environment; patterns may be used."""


class PackageRules(Model):
    """Packages that have to be installed, must not be, and the state of all of them."""

    required: list[RelationField] = []
    forbidden: list[RelationField] = []
    states: StateRules | None = None
    foreign_architectures: list[NonEmpty] | None = None
    """Architectures that packages may have besides the image's own; left out, not looked at."""
    origins: OriginRules = OriginRules()
    python: PythonRules = PythonRules()


class CommandRules(Model):
    """Commands that have to work for every user, and commands that must not be there."""

    required: list[CommandsField] = []
    forbidden: list[CommandPattern] = []

    @property
    def names(self) -> set[str]:
        """All names and patterns that have to be looked up."""
        return {name for names in self.required for name in names} | set(self.forbidden)
