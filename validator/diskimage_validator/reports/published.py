"""The published JSON Schemas (2020-12) of the JSON reports."""

from importlib.resources import files
from typing import Final

SCHEMAS: Final = ("report", "summary")
"""``report`` is about one target; ``summary``, which refers to it, about several."""


def schema_text(name: str) -> str:
    """Return the text of a schema, one of ``SCHEMAS``."""
    return files("diskimage_validator.reports").joinpath("schemas", f"{name}.schema.json").read_text("utf-8")
