"""Rules about units and about how the image boots."""

from diskimage_validator.rules.base import Model


class ServiceRules(Model):
    """Units that have to be enabled, masked or absent."""


class BootRules(Model):
    """What the image has to be able to do to come up."""
