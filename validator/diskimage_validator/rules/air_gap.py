"""Rules about what the image would contact, and whether it would verify whom it talks to."""

from diskimage_validator.rules.base import Model


class AirGapRules(Model):
    """What may be contacted. Empty until its checks are there."""
