"""Rules about the baked record of the build."""

from diskimage_validator.rules.base import Model


class ProvenanceRules(Model):
    """Whether the record has to be there and agree."""
