"""Section ``certificates``: the CAs that are trusted, and what a certificate has to be like."""

from typing import Annotated, Literal

from pydantic import Field

from diskimage_validator.rules.base import Model, NonEmpty


class CertificateRules(Model):
    """What the certificates of all endpoints have to be like."""

    bundle: NonEmpty
    """PEM file of the CAs that the factory trusts: the one that is baked into its images."""
    min_days_left: Annotated[int, Field(ge=0)] = 30
    min_protocol: Literal["TLSv1.2", "TLSv1.3"] = "TLSv1.2"
    """Older ones are refused by the server."""
    min_rsa_bits: Annotated[int, Field(ge=2048)] = 2048
    images: list[NonEmpty] = []
    """Disk images of nodes: they have the bundle, and their own trust stores accept every endpoint."""
