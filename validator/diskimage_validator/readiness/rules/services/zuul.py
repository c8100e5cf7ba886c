"""Section ``services.zuul``: Zuul, as its web server tells of it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from diskimage_validator.readiness.rules.services.web_urls import WebUrlField
from diskimage_validator.readiness.secret import SecretField
from diskimage_validator.rules.base import Model, NonEmpty

ComponentKind = Literal["scheduler", "executor", "merger", "web", "launcher", "fingergw"]
"""The kinds of ``zuul.zk.components.ComponentRegistry``."""
CountField = Annotated[int, Field(ge=0, le=1000)]


class ZuulTenant(Model):
    """A tenant that has to be there, and what it has to have."""

    name: Annotated[str, Field(pattern=r"^[^/?#%\s]+$")]
    labels: list[NonEmpty] = []
    """Node labels that its jobs may ask for."""
    config_errors: CountField = 0
    """How many errors its configuration may have."""


class ZuulService(Model):
    """One Zuul."""

    url: WebUrlField
    """Where its web server is, without ``/api``."""
    components: Annotated[dict[ComponentKind, CountField], Field(min_length=1)] = {
        "scheduler": 1,
        "executor": 1,
        "merger": 1,
        "web": 1,
    }
    """How many of a kind are running, at least."""
    tenants: list[ZuulTenant] = []
    token: SecretField | None = None
    """A JSON web token, where the API is not for everybody."""

    @model_validator(mode="after")
    def _verified(self) -> Self:
        if self.token and not self.url.startswith("https:"):
            raise PydanticCustomError("token", "'token' needs a URL with https: it would be readable on the way")
        return self
