"""Kind ``object_stores``: buckets of S3 and containers of Swift."""

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from diskimage_validator.readiness.facts.object_stores import S3Bucket, SwiftContainer
from diskimage_validator.readiness.rules.services.urls import FolderUrlField
from diskimage_validator.readiness.secret import SecretField
from diskimage_validator.rules.base import Model, NonEmpty


class S3Rules(Model):
    """A bucket, which is addressed by its path: ``URL/BUCKET``."""

    url: FolderUrlField
    bucket: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$")]
    region: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] = "us-east-1"
    """What requests are signed for; the default is what most services of one's own are called."""
    access_key: SecretField
    secret_key: SecretField


class SwiftRules(Model):
    """A container of OpenStack's object storage."""

    clouds: SecretField
    """A ``clouds.yaml``, with a password or an application credential in it."""
    cloud: NonEmpty
    """Its entry."""
    container: Annotated[str, Field(pattern=r"^[^/]{1,256}$")]


class ObjectStoreRules(Model):
    """A bucket or container that has to be there."""

    name: NonEmpty
    """What reports, and the mirrors of ``storage``, call it."""
    s3: S3Rules | None = None
    swift: SwiftRules | None = None
    write: bool = False
    """Whether a small object is written into it, read, and removed."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.s3 is None) == (self.swift is None):
            raise PydanticCustomError("one_of", "give either 's3' or 'swift'")
        return self

    @property
    def place(self) -> S3Bucket | SwiftContainer:
        """Where it is, as it is asked."""
        if self.s3:
            return S3Bucket(self.s3.url, self.s3.bucket, self.s3.region, self.s3.access_key, self.s3.secret_key)
        if self.swift is None:
            raise ValueError("neither 's3' nor 'swift'")
        return SwiftContainer(self.swift.clouds, self.swift.cloud, self.swift.container)
