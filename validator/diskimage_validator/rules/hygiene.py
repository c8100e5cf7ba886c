"""Rules about what a build must not leave behind."""

from diskimage_validator.rules.base import Model


class HygieneRules(Model):
    """Leftovers, secrets and file modes that must not be there."""
