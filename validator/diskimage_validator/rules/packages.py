"""Rules about packages and commands."""

from diskimage_validator.rules.base import CommandsField, Model, RelationField


class PackageRules(Model):
    """Packages that have to be installed."""

    required: list[RelationField] = []


class CommandRules(Model):
    """Commands that have to work for every user."""

    required: list[CommandsField] = []
