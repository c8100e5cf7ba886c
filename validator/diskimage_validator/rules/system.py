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
    """The disk as the virtual machine sees it."""
    max_virtual_size: SizeField | None = None
    """The disk as the virtual machine sees it."""
    max_file_size: SizeField | None = None
    """The image file."""
    max_used: SizeField | None = None
    """What is in use on the root file system."""
    min_free: SizeField | None = None
    """Free space of the root file system, before it grows."""
    min_free_inodes: Annotated[int, Field(ge=1)] | None = None
    """Free inodes of the root file system, before it grows."""
    partition_table: Annotated[list[Literal["mbr", "gpt", "none"]], Field(min_length=1)] | None = None
    """Tables that are allowed."""
    root_filesystem: Annotated[list[NonEmpty], Field(min_length=1)] | None = None
    """Types that are allowed."""
    clean: bool = False
    """Every file system was unmounted in order and has no known error."""
    format: Literal["qcow2", "raw"] | None = None
    """Format of the image file."""
    compat: Annotated[list[Literal["0.10", "1.1"]], Field(min_length=1)] | None = None
    """Versions of qcow2 that are allowed."""
    compression: Annotated[list[Literal["zlib", "zstd", "none"]], Field(min_length=1)] | None = None
    """Compressions of a qcow2 that are allowed."""
    grows_to: SizeField | None = None
    """The root file system fills a flavor's disk of this size on first boot."""
