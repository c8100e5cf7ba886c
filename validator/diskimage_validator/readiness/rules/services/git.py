"""Sections ``services.git`` and ``services.gerrit``: repositories that have to be there, with their branches."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from diskimage_validator.readiness.rules.services.web_urls import WebUrlField, checked_url
from diskimage_validator.readiness.secret import SecretField
from diskimage_validator.rules.base import Model, NonEmpty

BranchField = Annotated[
    str, Field(pattern=r"^[^\x00-\x20~^:?*\[\\\x7f-]([^\x00-\x20~^:?*\[\\\x7f]*)$", examples=["main"])
]
"""A branch without ``refs/heads/`` (git-check-ref-format(1))."""


def _git_url(value: Any) -> str:
    return checked_url(value, ("https", "ssh", "http", "git"), "https://git.internal/zuul/config", user=True)


GitUrlField = Annotated[
    str,
    BeforeValidator(_git_url),
    Field(json_schema_extra={"examples": ["https://git.internal/zuul/config", "ssh://zuul@git.internal:29418/config"]}),
]


class GitRepository(Model):
    """A repository of any Git server or mirror."""

    url: GitUrlField
    branches: Annotated[list[BranchField], Field(min_length=1)]
    user: Annotated[str, Field(pattern=r"^[!-9;-~]+$")] | None = None
    """For HTTPS; over SSH the user is a part of the URL."""
    password: SecretField | None = None
    key: SecretField | None = None
    """For SSH: a private key without a passphrase."""
    known_hosts: NonEmpty | None = None
    """For SSH: a file with the server's host keys, sshd(8), relative to the ``factory.yaml``."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        scheme = self.url.partition(":")[0]
        if (self.user is None) != (self.password is None):
            raise PydanticCustomError("password", "'user' and 'password' belong together")
        if self.password and scheme != "https":
            raise PydanticCustomError("password", "'password' needs a URL with https: it would be readable on the way")
        if scheme == "ssh" and not (self.key and self.known_hosts):
            raise PydanticCustomError("ssh", "a URL with ssh needs 'key' and 'known_hosts'")
        if scheme != "ssh" and (self.key or self.known_hosts or "@" in self.url):
            raise PydanticCustomError("ssh", "'key', 'known_hosts' and a user in the URL are for ssh")
        return self


class GerritProject(Model):
    """A project of Gerrit."""

    name: Annotated[str, Field(pattern=r"^[^\s?#]+$")]
    branches: Annotated[list[BranchField], Field(min_length=1)]


class GerritService(Model):
    """A Gerrit, as its REST API tells of it."""

    url: WebUrlField
    projects: list[GerritProject] = []
    user: Annotated[str, Field(pattern=r"^[!-9;-~]+$")] | None = None
    """Where the API is not for everybody."""
    password: SecretField | None = None
    """Its HTTP password, which Gerrit makes (Settings, HTTP Credentials)."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise PydanticCustomError("password", "'user' and 'password' belong together")
        if self.password and not self.url.startswith("https:"):
            raise PydanticCustomError("password", "'password' needs a URL with https: it would be readable on the way")
        return self
