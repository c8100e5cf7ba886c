"""Rules about certificates and who trusts them."""

from typing import Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from diskimage_validator.rules.base import Model, NonEmpty, Sha256Field
from diskimage_validator.rules.endpoints import EndpointRule


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
    """CAs that have to be trusted, and whether locally added anchors have to be in order.

    ``endpoints``: chains that have to be trusted; ``settings``: whether what points programs to other CAs, or switches
    verification off, has to be in order.
    """

    trusted: list[TrustedSource] = []
    anchors: bool = True
    endpoints: list[EndpointRule] = []
    settings: bool = False
