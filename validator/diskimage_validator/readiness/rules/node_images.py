"""Section ``node_images``: the disk images of the factory's nodes."""

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from diskimage_validator.rules.base import Model, NonEmpty


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

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.policy is None and self.report is None:
            raise PydanticCustomError("one_of", "give 'policy', 'report', or both")
        return self
