"""Commands by name: the module of one is imported when it is called, or when its help is wanted.

``validate`` takes less time than the imports of all other commands would.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose ``members`` map a command's name to ``module:attribute``."""

    def __init__(self, *, members: Mapping[str, str], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._members = members

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the names in order of the alphabet."""
        return sorted(self._members)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command that is called ``cmd_name``, None if there is none."""
        if cmd_name not in self._members:
            return None
        module, attribute = self._members[cmd_name].split(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command
