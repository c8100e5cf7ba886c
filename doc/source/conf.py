"""Sphinx configuration. The check reference is written anew for each build, from the checks' docstrings."""

from importlib import metadata
from pathlib import Path

from diskimage_validator.checks.reference import render_reference
from diskimage_validator.readiness.checks import READINESS_CHECKS

project = "airgap-image-factory"
author = "the airgap-image-factory authors"
version = release = metadata.version("airgap-image-factory")
html_theme = "alabaster"
nitpicky = True
exclude_patterns = ["generated/*.txt"]

generated = Path(__file__).parent / "generated"
generated.mkdir(exist_ok=True)
(generated / "checks.rst").write_text(render_reference())
(generated / "readiness-checks.rst").write_text(
    render_reference(READINESS_CHECKS.values(), "Checks of readiness", "factory.yaml")
)
