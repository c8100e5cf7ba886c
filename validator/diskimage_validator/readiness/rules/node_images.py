"""Section ``node_images``: the disk images of the factory's nodes."""

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from diskimage_validator.readiness.rules.services.web_urls import WebUrlField
from diskimage_validator.readiness.secret import SecretField
from diskimage_validator.rules.base import Model, NonEmpty


class ServingRules(Model):
    """Who starts nodes from the image, and in which cloud."""

    nodepool: WebUrlField | None = None
    """The web application of a nodepool-launcher. Either this or ``zuul``."""
    zuul: WebUrlField | None = None
    """The web server of a Zuul, without ``/api``."""
    tenant: Annotated[str, Field(pattern=r"^[^/?#%\s]+$")] | None = None
    """Of Zuul: one that uses the image."""
    image: NonEmpty
    """What Nodepool or Zuul calls it."""
    provider: NonEmpty
    """Where it is uploaded to: Nodepool's provider, or the endpoint as Zuul's API has it, ``CONNECTION/NAME``."""
    clouds: SecretField | None = None
    """The ``clouds.yaml`` with which that cloud can be asked; it need not be the one of Nodepool."""
    cloud: NonEmpty | None = None
    """The cloud's name in there."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.nodepool is None) == (self.zuul is None):
            raise PydanticCustomError("one_of", "give either 'nodepool' or 'zuul'")
        if (self.zuul is None) != (self.tenant is None):
            raise PydanticCustomError("tenant", "'zuul' needs 'tenant', and nothing else has one")
        if (self.clouds is None) != (self.cloud is None):
            raise PydanticCustomError("cloud", "'clouds' and 'cloud' go together")
        if self.nodepool and self.cloud is None:
            raise PydanticCustomError("cloud", "'nodepool' needs 'clouds' and 'cloud': it tells no checksum itself")
        return self


class NodeImage(Model):
    """A disk image that becomes the factory's build nodes."""

    image: NonEmpty
    """Relative to the ``factory.yaml``."""
    policy: NonEmpty | None = None
    """A shipped policy by its name, or a file; the image has to pass it now, with the CAs of the bundle."""
    report: NonEmpty | None = None
    """The JSON report that ``validate`` left when the image was built."""
    max_age_days: Annotated[int, Field(ge=1)] = 30
    """How old that report may be."""
    served_by: list[ServingRules] = []
    """Nodes start from this very image."""

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.policy is None and self.report is None and not self.served_by:
            raise PydanticCustomError("one_of", "give 'policy', 'report' or 'served_by'")
        return self
