"""Section ``storage``: what the mirrors have to hold, and where they live."""

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from diskimage_validator.readiness.facts.storage import REPOMD
from diskimage_validator.readiness.rules.fields import ImageField, NodeField, PlatformField
from diskimage_validator.readiness.secret import SecretField
from diskimage_validator.rules.base import Model, NonEmpty, SizeField
from diskimage_validator.sizes import format_size

IndexField = Annotated[str, Field(pattern=r"^(https?://[^/@\s]+/\S*|/\S*|[^/:\s]\S*)$")]


class PackageSource(Model):
    """A repository of packages, or some packages of it."""

    index: IndexField
    """Of an apt repository a ``Packages`` file, as ``https://mirror.internal/debian/dists/bookworm/main/binary-amd64/Packages.xz``,
    of an RPM repository its ``repodata/repomd.xml``; or one of this host."""
    packages: Annotated[list[NonEmpty], Field(min_length=1)] | None = None
    """Only these, with all that they depend on; everything in the index if left out."""
    also: list[IndexField] = []
    """Further indices of the same system: the packages, and what they depend on, may be in any of them."""

    @model_validator(mode="after")
    def _one_system(self) -> Self:
        if self.also and self.packages is None:
            raise PydanticCustomError("also", "'also' needs 'packages': a whole index is an entry of its own")
        if len({index.endswith(REPOMD) for index in (self.index, *self.also)}) > 1:
            raise PydanticCustomError("also", "indices of apt and of RPM are entries of their own")
        return self


class ImageSource(Model):
    """A container image that is wanted in the mirrors."""

    image: ImageField
    platforms: Annotated[list[PlatformField], Field(min_length=1)] = ["linux/amd64"]
    """``OS/ARCHITECTURE[/VARIANT]``, as in the image's index; ``linux/arm64`` is ``linux/arm64/v8`` as well."""


class MirrorStore(Model):
    """Where mirrors live: a folder of a system, an object store, or something that tells its quota nowhere."""

    path: Annotated[str, Field(pattern=r"^/")] | None = None
    node: NodeField = "/"
    """On which system the folder is: this host, or ``ssh://USER@HOST``."""
    object_store: NonEmpty | None = None
    """One of ``services.object_stores``, by its name. Its quotas are asked, and what is used of them."""
    quota: SizeField | None = None
    """Stated, of what cannot be asked; of an object store without a quota of its own, what is used is taken off."""
    name: NonEmpty | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.path is not None) + (self.object_store is not None or self.quota is not None) != 1:
            raise PydanticCustomError("one_of", "give either 'path', or 'object_store', 'quota' or both")
        return self

    def __str__(self) -> str:
        return self.name or self.path or self.object_store or f"quota of {format_size(self.quota or 0)}"


class StorageRules(Model):
    """What the mirrors have to hold, and where."""

    images: list[ImageSource] = []
    packages: list[PackageSource] = []
    mirrors: Annotated[list[MirrorStore], Field(min_length=1)]
    """The room of all of them together counts."""
    factor: Annotated[float, Field(ge=1)] = 2.0
    """How many times the size has to fit: old and new images are there at once."""
    auth: SecretField | None = None
    """Credentials for the registries, containers-auth.json(5)."""
