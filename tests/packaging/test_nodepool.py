"""The builder configuration names elements and variables that exist."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from diskimage_builder.paths import get_path

from airgap_image_factory.gate.settings import PREFIX, read_settings
from diskimage_validator.policy import shipped_policies

ROOT = Path(__file__).parents[2]
CONFIGURATION: dict[str, Any] = yaml.safe_load((ROOT / "nodepool/nodepool.yaml").read_text())
IMAGES: list[dict[str, Any]] = CONFIGURATION["diskimages"]


def test_every_element_exists() -> None:
    wanted = {element for image in IMAGES for element in image.get("elements", [])}
    assert wanted
    folders = [ROOT / "elements", Path(get_path("elements"))]
    assert {name for name in wanted if not any((folder / name).is_dir() for folder in folders)} == set()


def test_every_variable_is_documented_by_an_element() -> None:
    readmes = "".join(
        path.read_text()
        for folder in (ROOT / "elements", Path(get_path("elements")))
        for path in folder.glob("*/README.rst")
    )
    names = {name for image in IMAGES for name in image.get("env-vars", {}) if name.startswith("DIB_")}
    names = {name for name in names if not name.startswith(PREFIX)}
    assert names
    assert {name for name in names if not re.search(rf"\b{name}\b", readmes)} == set()


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: str(image["name"]))
def test_the_gate_knows_every_variable_of_its_own(image: dict[str, Any]) -> None:
    settings = read_settings(image.get("env-vars", {}))
    assert settings.policy in shipped_policies()


def test_the_readme_explains_the_gates_variables() -> None:
    readme = (ROOT / "nodepool/README.rst").read_text()
    names = {name for image in IMAGES for name in image.get("env-vars", {}) if name.startswith(PREFIX)}
    assert names
    assert {name for name in names if f"``{name}``" not in readme} == set()


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: str(image["name"]))
def test_variables_are_strings_as_nodepool_wants_them(image: dict[str, Any]) -> None:
    assert all(isinstance(value, str) for value in image.get("env-vars", {}).values())


def test_the_folder_shadows_no_python_package() -> None:
    assert not list((ROOT / "nodepool").rglob("*.py"))
