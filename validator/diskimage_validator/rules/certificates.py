"""Rules about certificates and who trusts them."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from diskimage_validator.consumers import Other
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


class QualityRules(Model):
    """What CAs have to be like that were added to the image or that the policy names."""

    min_rsa_bits: Annotated[int, Field(ge=1024)] = 2048
    """Least size of an RSA key."""
    curves: list[NonEmpty] = ["secp256r1", "secp384r1", "secp521r1"]
    """Allowed curves of EC keys. Ed25519 and Ed448 are allowed always."""
    min_path_length: Annotated[int, Field(ge=0)] | None = None
    """How many CAs a self-signed one has to allow below it: 1 if an issuing CA signs the servers' certificates."""
    strict: bool = False
    """Whether a CA has to have all extensions that RFC 5280 demands, as Python from 3.13 on asks."""
    distribution: bool = False
    """Whether the distribution's own CAs are judged, too."""


class CertificateRules(Model):
    """CAs that have to be trusted, by whom, and what they and their stores have to be like."""

    trusted: list[TrustedSource] = []
    anchors: bool = True
    """Whether locally added anchors have to be in order."""
    endpoints: list[EndpointRule] = []
    """Chains that have to be trusted."""
    settings: bool = False
    """Whether what points programs to other CAs, or switches verification off, has to be in order."""
    consumers: list[Other] | None = None
    """Who has to know the CAs, too: all that are in the image if left out, but those of single registries."""
    quality: QualityRules | None = None
    min_days_left: Annotated[int, Field(ge=0)] | None = None
    """How many days CAs that were added or named have to be valid still."""
    private_keys: Literal["none", "client"] | None = None
    """No private keys in or beside the stores; ``client`` allows those of certs.d with mode 0600."""
    unique: bool = False
    """No CA twice in one store."""
    distrusted: list[TrustedSource] | None = None
    """CAs that no store may hold. An empty list still asks that the image's own blocklist is obeyed."""
    only: bool = False
    """Nothing but the CAs of ``trusted`` in any store."""
