"""Kind ``logs``: what the log server serves, one URL each."""

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from diskimage_validator.readiness.rules.services.urls import PageUrlField
from diskimage_validator.rules.base import Model, NonEmpty


class LogPage(Model):
    """A URL of the log server, and what is there."""

    url: PageUrlField
    status: Annotated[int, Field(ge=200, le=599)] = 200
    text: NonEmpty | None = None
    """Is in the first MiB of it, as a reader sees it: decompressed."""
    content_type: Annotated[str, Field(pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+$")] | None = None
    """The media type, without parameters such as a character set."""
    gzip: bool = False
    """It is sent with ``Content-Encoding: gzip``, so that a browser shows a compressed log instead of storing it."""
    listing: bool | None = None
    """Whether this is the list of a folder, as web servers write it."""

    @model_validator(mode="after")
    def _has_a_body(self) -> Self:
        if self.status != 200 and (self.text or self.content_type or self.gzip or self.listing):
            raise PydanticCustomError("status", "an error page has no 'text', 'content_type', 'gzip' or 'listing'")
        return self
