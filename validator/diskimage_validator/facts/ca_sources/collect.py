"""Reads all settings that are about CAs."""

from diskimage_validator.facts.ca_settings import CaSettings
from diskimage_validator.facts.ca_sources.environment import read_environment
from diskimage_validator.facts.ca_sources.noted import Noted
from diskimage_validator.facts.ca_sources.tools import read_tools
from diskimage_validator.facts.scene import Scene
from diskimage_validator.facts.sources.found import Found


def read_ca_settings(scene: Scene) -> CaSettings:
    """Return the settings of the target. What cannot be read becomes a trouble."""
    noted = Noted(Found(scene.engine))
    read_environment(noted)
    read_tools(noted)
    return CaSettings(
        settings=tuple(noted.settings),
        places=noted.places,
        troubles=tuple(noted.found.troubles),
        files=len({path for _, path in noted.found.files}),
    )
