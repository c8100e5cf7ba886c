"""Rules about the baked record of the build."""

from diskimage_validator.rules.base import Model


class ProvenanceRules(Model):
    """Whether /etc/image-provenance.json has to be there and to agree with what is found."""

    required: bool = False
    """The record has to be there."""
    matches: bool = False
    """If it is there, packages and CAs are those that it lists."""
