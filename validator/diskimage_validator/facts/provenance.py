"""What the image says it was built from: /etc/image-provenance.json, which the element image-provenance bakes.

The element's README describes the format, version 1. Fields that are not known here are passed over, as it allows.
"""

from typing import Annotated, Final

from pydantic import Field

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.reading import Problem, read_one
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import decode

PATH: Final = "/etc/image-provenance.json"
READ_LIMIT: Final = 16 * 1024 * 1024
SCHEMA_VERSION: Final = 1

Text = Annotated[str, Field(max_length=1000)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class RecordedPackage:
    """A package as dpkg or rpm wrote it at build time."""

    name: Text
    version: Text
    architecture: Text


@dataclass(frozen=True)
class RecordedElement:
    """An element of the build: the digest of its files and, from a git checkout, the commit."""

    name: Text
    sha256: Sha256
    git_commit: Text | None = None
    git_modified: bool | None = None


@dataclass(frozen=True)
class Record:
    """The content of the file."""

    schema_version: int
    distribution: Text
    release: Text
    architecture: Text
    source_date_epoch: int | None
    elements: Annotated[tuple[RecordedElement, ...], Field(max_length=1_000)]
    mirrors: Annotated[dict[Text, Text], Field(max_length=1_000)]
    trusted_ca_sha256: Annotated[tuple[Sha256, ...], Field(max_length=10_000)]
    packages: Annotated[tuple[RecordedPackage, ...], Field(max_length=100_000)]


@dataclass(frozen=True)
class Provenance:
    """The record, None if the file is missing or no valid record: then ``fault`` says why, and is empty otherwise."""

    record: Record | None
    fault: str = ""


def read_provenance(engine: Engine) -> Provenance:
    """Return what the image says of itself. Raises FactError if the file is there and cannot be read."""
    data = read_one(engine, PATH, limit=READ_LIMIT)
    if isinstance(data, Problem):
        raise FactError(data.reason)
    return Provenance(None) if data is None else parse_provenance(data)


def parse_provenance(data: bytes) -> Provenance:
    """Return the record in ``data``, or why it is none. Never raises for bad input."""
    from pydantic import TypeAdapter, ValidationError

    try:
        record = TypeAdapter(Record).validate_json(decode(data))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part)[:50] for part in first["loc"][:5])
        return Provenance(None, f"{where or 'the document'}: {first['msg'][:200]}")
    if record.schema_version != SCHEMA_VERSION:
        return Provenance(None, f"schema_version is {record.schema_version}, known is {SCHEMA_VERSION}")
    return Provenance(record)
