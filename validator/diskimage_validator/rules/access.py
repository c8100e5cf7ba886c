"""Rules about accounts, sudo and SSH."""

from diskimage_validator.rules.base import Model


class AccessRules(Model):
    """Who may log in, and how."""
