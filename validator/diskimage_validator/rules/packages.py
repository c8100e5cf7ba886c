"""Rules about packages and commands."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from diskimage_validator.relations import Relation, parse_relation
from diskimage_validator.rules.base import CommandsField, GlobField, Model, NonEmpty, RelationField, section

if TYPE_CHECKING:
    from packaging.requirements import Requirement
else:  # imported where there is one to parse; what the validator of the field returns is nothing else
    Requirement = Any


def _forbidden(value: Any) -> Relation:
    if not isinstance(value, str):
        raise PydanticCustomError("text", "a package relation such as 'sudo (<< 1.9.5)' is wanted, as text")
    return parse_relation(value, patterns=True)


def _matching(pattern: str, what: str) -> Callable[[Any], str]:
    """Return a validator for text of that form."""

    def validate(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            raise PydanticCustomError("form", "{what} is wanted", {"what": what})
        return value

    return validate


def _requirement(value: Any) -> Requirement:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    try:
        parsed = Requirement(value if isinstance(value, str) else "")
    except InvalidRequirement as error:
        raise PydanticCustomError("requirement", "a requirement such as 'pip>=22' is wanted") from error
    if parsed.url or parsed.extras or parsed.marker:
        raise PydanticCustomError("requirement", "name and versions only: no URL, no extras, no marker")
    parsed.name = canonicalize_name(parsed.name)
    return parsed


ForbiddenField = Annotated[
    Relation,
    BeforeValidator(_forbidden),
    PlainSerializer(str),
    WithJsonSchema(
        {
            "type": "string",
            "description": "packages, or patterns of them, perhaps with a bound",
            "examples": ["sudo (<< 1.9.5)", "*-dev"],
        }
    ),
]
RequirementField = Annotated[
    Requirement,
    BeforeValidator(_requirement),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "description": "name and versions as in PEP 440", "examples": ["pip>=22"]}),
]
KeyId = Annotated[
    str,
    BeforeValidator(
        _matching(r"[0-9a-f]{16}|[0-9a-f]{40}", "a key id or fingerprint of 16 or 40 lower-case hex digits")
    ),
    WithJsonSchema({"type": "string", "pattern": "^([0-9a-f]{16}|[0-9a-f]{40})$"}),
]
CommandPattern = Annotated[
    str,
    BeforeValidator(_matching(r"[A-Za-z0-9+._*?\[\]!-]+", "a command, or a pattern of them, without a folder,")),
    WithJsonSchema({"type": "string", "description": "a command or a pattern", "examples": ["gcc", "gcc-[0-9]*"]}),
]


class StateRules(Model):
    """That no package is held, half-installed or waiting for something."""

    held: list[NonEmpty] = []
    """Patterns of packages that may be held."""
    removed: bool = True
    """Whether packages that were removed may have left their configuration."""


class IntactRules(Model):
    """That installed files are what the packages brought."""

    packages: Annotated[list[NonEmpty], Field(min_length=1)] = ["*"]
    """Patterns of the packages whose files are read."""
    changed: list[GlobField] = []
    """Files that may differ from what the package brought, or be gone, as patterns of paths."""
    missing: list[GlobField] = []
    """Files that may be gone, as patterns of paths."""
    configuration: bool = False
    """Whether configuration files must be as the packages brought them, too."""
    unlisted: list[NonEmpty] = []
    """Patterns of packages that may have files without digests."""


class OriginRules(Model):
    """Where packages may come from. A list that is left out is not looked at."""

    mirrors: Annotated[list[NonEmpty], Field(min_length=1)] | None = None
    """Patterns of the host, or of host and path, that apt's indices are of."""
    vendors: Annotated[list[NonEmpty], Field(min_length=1)] | None = None
    """Patterns of the vendor that an RPM package names."""
    keys: Annotated[list[KeyId], Field(min_length=1)] | None = None
    """Keys that RPM packages may be signed with: ids of 16 hexadecimal digits, or fingerprints."""
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
    forbidden: list[ForbiddenField] = []
    states: StateRules | None = None
    intact: IntactRules | None = None
    foreign_architectures: list[NonEmpty] | None = None
    """Architectures that packages may have besides the image's own; left out, not looked at."""
    origins: OriginRules = section(OriginRules)
    python: PythonRules = section(PythonRules)


class CommandRules(Model):
    """Commands that have to work for every user, and commands that must not be there."""

    required: list[CommandsField] = []
    forbidden: list[CommandPattern] = []

    @property
    def names(self) -> set[str]:
        """All names and patterns that have to be looked up."""
        return {name for names in self.required for name in names} | set(self.forbidden)
