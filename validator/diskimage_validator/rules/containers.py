"""Rules about container engines and their configuration."""

from diskimage_validator.rules.base import Model


class ContainerRules(Model):
    """How containers are run and where images come from."""
