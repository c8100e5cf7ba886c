"""Rules about the operating system and its disk."""

from typing import Annotated, Literal

from pydantic import Field

from diskimage_validator.rules.base import Model, NonEmpty, SizeField


class Release(Model):
    """One distribution: ``id`` as in os-release; ``versions`` as VERSION_ID, all if left out."""

    id: NonEmpty
    versions: Annotated[list[NonEmpty], Field(min_length=1)] | None = None

    def __str__(self) -> str:
        return f"{self.id} {'/'.join(self.versions)}" if self.versions else self.id


class OsRules(Model):
    """Which distributions are allowed: ``any`` of these; left out, any that says what it is."""

    any: Annotated[list[Release], Field(min_length=1)] | None = None


class DiskRules(Model):
    """Limits of the disk, all optional; sizes in bytes."""

    min_virtual_size: SizeField | None = None
    max_virtual_size: SizeField | None = None
    max_file_size: SizeField | None = None
    min_free: SizeField | None = None
    partition_table: Annotated[list[Literal["mbr", "gpt", "none"]], Field(min_length=1)] | None = None
    root_filesystem: Annotated[list[NonEmpty], Field(min_length=1)] | None = None
