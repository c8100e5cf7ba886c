"""What a policy may say (``Rules``), and a policy that is ready for use (``Policy``).

The models are strict: no unknown keys and no silent conversion, so ``versions: [22.10]``, which YAML reads as the
number 22.1, is an error and not a surprise.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator
from pydantic_core import PydanticCustomError

from diskimage_validator.model import Severity
from diskimage_validator.relations import Relation, parse_commands, parse_relation
from diskimage_validator.sizes import parse_size

RULES_VERSION = 1


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


RelationField = Annotated[Relation, BeforeValidator(_relation), PlainSerializer(str)]
CommandsField = Annotated[tuple[str, ...], BeforeValidator(_commands), PlainSerializer(" | ".join)]
SizeField = Annotated[int, BeforeValidator(_size)]
SeverityField = Annotated[Severity, BeforeValidator(_severity)]
Sha256Field = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
NonEmpty = Annotated[str, Field(min_length=1)]


class Model(BaseModel):
    """Base of all parts of a policy: strict, frozen, no unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Release(Model):
    """One distribution: ``id`` as in os-release; ``versions`` as VERSION_ID, all if left out."""

    id: NonEmpty
    versions: Annotated[list[NonEmpty], Field(min_length=1)] | None = None

    def __str__(self) -> str:
        return f"{self.id} {'/'.join(self.versions)}" if self.versions else self.id


class OsRules(Model):
    """Which distributions are allowed: ``any`` of these; left out, any that says what it is."""

    any: Annotated[list[Release], Field(min_length=1)] | None = None


class PackageRules(Model):
    """Packages that have to be installed."""

    required: list[RelationField] = []


class CommandRules(Model):
    """Commands that have to work for every user."""

    required: list[CommandsField] = []


class TrustedSource(Model):
    """A CA that has to be trusted: a PEM or DER ``file`` (relative to the policy) or the ``sha256`` of its DER form."""

    file: NonEmpty | None = None
    sha256: Sha256Field | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.file is None) == (self.sha256 is None):
            raise PydanticCustomError("one_of", "give either 'file' or 'sha256'")
        return self


class CertificateRules(Model):
    """CAs that have to be trusted, and whether locally added anchors have to be in order."""

    trusted: list[TrustedSource] = []
    anchors: bool = True


class DiskRules(Model):
    """Limits of the disk, all optional; sizes in bytes."""

    min_virtual_size: SizeField | None = None
    max_virtual_size: SizeField | None = None
    max_file_size: SizeField | None = None
    min_free: SizeField | None = None
    partition_table: Annotated[list[Literal["mbr", "gpt", "none"]], Field(min_length=1)] | None = None
    root_filesystem: Annotated[list[NonEmpty], Field(min_length=1)] | None = None


class Rules(Model):
    """A policy file. A section that is left out asks for nothing, but for ``certificates.anchors``."""

    version: Literal[1]
    name: NonEmpty
    description: str = ""
    os: OsRules = OsRules()
    architecture: NonEmpty | None = None
    packages: PackageRules = PackageRules()
    commands: CommandRules = CommandRules()
    certificates: CertificateRules = CertificateRules()
    disk: DiskRules = DiskRules()
    severity: dict[str, SeverityField] = {}


@dataclass(frozen=True)
class TrustedCa:
    """A CA that the target has to trust.

    ``sha256``: of the certificate's DER form, lower-case hex; ``subject``: RFC 4514, empty if only the digest is known;
    ``source``: where it was asked for.
    """

    sha256: str
    subject: str
    source: str

    def __str__(self) -> str:
        return self.subject or f"sha256 {self.sha256}"


@dataclass(frozen=True)
class Policy:
    """A policy that is ready for use: its rules and the CAs they and the command line name."""

    rules: Rules
    trusted: tuple[TrustedCa, ...] = ()

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.rules.name

    @property
    def digest(self) -> str:
        """sha256 (hex) of the canonical JSON of what is asked for: certificates by digest, not by file name."""
        rules = self.rules.model_dump(mode="json", exclude={"certificates": {"trusted"}})
        rules["certificates"]["trusted"] = sorted({ca.sha256 for ca in self.trusted})
        canonical = json.dumps(rules, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
