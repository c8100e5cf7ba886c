"""What hooks see of the arguments and elements of a build through the gate."""

import subprocess
from pathlib import Path

import pytest
import yaml

from airgap_image_factory.gate.concealment import ELEMENT, is_asked_for, write_element
from airgap_image_factory.gate.options import parse
from diskimage_validator.elements import elements_path

AFTER = """
set -ue
source "$1"
source "$1"
printf '%s\\0' "$DIB_ARGS" "$DIB_ENV" "$IMAGE_ELEMENT" "$IMAGE_ELEMENT_YAML"
"""


def seen(folder: Path, elements: list[str], unasked: list[str], *arguments: str) -> list[str]:
    """Return what diskimage-builder exports for a build of ``elements``, as a hook sees it that a hook runs."""
    write_element(folder, arguments, unasked)
    exports = {
        "DIB_ARGS": "-o /else where & $HOME",
        "DIB_ENV": 'declare -x DIB_ARGS="-o /else where & \\$HOME"\ndeclare -x DIB_RELEASE="bookworm"',
        "IMAGE_ELEMENT": " ".join(elements),
        "IMAGE_ELEMENT_YAML": yaml.safe_dump({name: f"/elements/{name}" for name in elements}),
    }
    script = str(folder / ELEMENT / "environment.d" / f"00-{ELEMENT}.bash")
    return subprocess.check_output(["bash", "-c", AFTER, "-", script], text=True, env=exports).split("\0")[:-1]


@pytest.mark.parametrize(
    "others",
    [["base", "vm"], ["zuul"], ["a", "my-validate-root", "zuul"], []],
)
def test_hooks_see_what_the_caller_asked_for(tmp_path: Path, others: list[str]) -> None:
    arguments = ["-o", "node & 'one' $HOME\nend", "vm"]
    said = " ".join(arguments)
    found = seen(tmp_path, [ELEMENT, *others, "validate-root"], ["validate-root"], *arguments)
    assert found[0] == said
    environment = subprocess.check_output(
        ["bash", "-c", 'eval "$1"; printf "%s\\0" "$DIB_ARGS" "$DIB_RELEASE"', "-", found[1]], text=True, env={}
    )
    assert environment == f"{said}\0bookworm\0"
    assert found[2] == " ".join(others)
    assert (yaml.safe_load(found[3]) or {}) == {name: f"/elements/{name}" for name in others}


def test_what_the_caller_asked_for_is_seen(tmp_path: Path) -> None:
    found = seen(tmp_path, ["validate-root", ELEMENT], [])
    assert found[2:] == ["validate-root", "validate-root: /elements/validate-root\n"]


@pytest.mark.parametrize(
    ("arguments", "variables", "asked"),
    [
        (["tiny"], {}, False),
        (["tiny", "validate-root"], {}, True),
        (["tiny", "needing"], {}, True),
        (["tiny", "nonsense"], {}, False),
        (["tiny"], {"BASE": "needing"}, True),
        (["-n", "tiny"], {"BASE": "needing"}, False),
        (["tiny"], {"BASE": "needing", "SKIP_BASE": "1"}, False),
    ],
)
def test_an_element_is_asked_for_by_its_name_or_by_another(
    tmp_path: Path, arguments: list[str], variables: dict[str, str], *, asked: bool
) -> None:
    for name, file, text in (
        ("tiny", "element-provides", "operating-system"),
        ("needing", "element-deps", "validate-root"),
        ("base", "element-deps", variables.get("BASE", "")),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(text)
    path = f"{tmp_path}:{elements_path()}"
    assert is_asked_for("validate-root", parse(arguments, {}), variables, path) == asked
