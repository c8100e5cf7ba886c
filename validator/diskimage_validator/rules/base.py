"""What all parts of a policy are made of: strict models, and fields that read the language of a policy.

The models are strict: no unknown keys and no silent conversion, so ``versions: [22.10]``, which YAML reads as the
number 22.1, is an error and not a surprise.
"""

import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from diskimage_validator.model import Severity
from diskimage_validator.relations import Relation, parse_commands, parse_relation
from diskimage_validator.sizes import parse_size


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise PydanticCustomError("text", "{what} is wanted, as text", {"what": what})
    return value


def _relation(value: Any) -> Relation:
    return parse_relation(_text(value, "a package relation such as 'skopeo (>= 1.9)'"))


def _commands(value: Any) -> tuple[str, ...]:
    return parse_commands(_text(value, "a command such as 'docker | podman'"))


def _size(value: Any) -> int:
    return parse_size(_text(value, "a size with its unit, such as '10 GiB',"))


def _severity(value: Any) -> Severity:
    if value not in list(Severity):
        raise PydanticCustomError("severity", "use one of {known}", {"known": ", ".join(Severity)})
    return Severity(value)


def _date(value: Any) -> datetime.date:
    try:
        return datetime.date.fromisoformat(_text(value, "a date such as '2027-01-31'"))
    except ValueError as error:
        raise PydanticCustomError("date", "a date such as '2027-01-31' is wanted") from error


def _alternatives(names: tuple[str, ...]) -> str:
    return " | ".join(names)


def _schema(description: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "description": description, **more})


ALTERNATIVES: Final = PlainSerializer(_alternatives)
"""Writes names as a policy does: ``docker | podman``. pydantic parses the signature of what is built in, in 3 ms."""
RelationField = Annotated[
    Relation,
    BeforeValidator(_relation),
    PlainSerializer(str),
    _schema("alternatives as in a Debian Depends field", examples=["docker.io | docker-ce (>= 5:24) | podman"]),
]
CommandsField = Annotated[
    tuple[str, ...],
    BeforeValidator(_commands),
    ALTERNATIVES,
    _schema("a command on PATH, or alternatives", examples=["docker | podman"]),
]
SizeField = Annotated[int, BeforeValidator(_size), _schema("a size with its unit", examples=["10 GiB", "80 GB"])]
SeverityField = Annotated[Severity, BeforeValidator(_severity)]
DateField = Annotated[datetime.date, BeforeValidator(_date), _schema("a day, YYYY-MM-DD", format="date")]
"""A day, written YYYY-MM-DD."""
Sha256Field = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
NonEmpty = Annotated[str, Field(min_length=1)]
GlobField = Annotated[
    str,
    Field(
        pattern=r"^/",
        description="a pattern of absolute paths: * stays within one folder, ** goes across",
        examples=["/etc/apt/**"],
    ),
]
"""A pattern of absolute paths, see the module globs."""


class Model(BaseModel):
    """Base of all parts of a policy: strict, frozen, no unknown keys.

    Validators are made when something is validated, which is the whole policy: the parts need none of their own.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True, defer_build=True)


def section(model: type[Model]) -> Any:
    """Return the default of a section that is left out: as ``model()``, which would make a validator for it alone."""
    return Field(default_factory=model.model_construct, json_schema_extra={"default": {}})
