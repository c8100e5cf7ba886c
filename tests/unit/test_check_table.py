"""The table of checks and the reference made from it."""

import ast
from pathlib import Path

import pytest
from docutils.core import publish_doctree

from diskimage_validator import checks
from diskimage_validator.checks import CHECKS
from diskimage_validator.checks.base import Check
from diskimage_validator.checks.reference import render_reference

FOLDER = Path(checks.__file__).parent


def test_every_check_in_the_folder_is_in_the_table() -> None:
    ids = set()
    for path in FOLDER.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "ID":
                ids.add(ast.literal_eval(node.value or ast.Constant(None)))
    assert ids == set(CHECKS)


@pytest.mark.parametrize("check", CHECKS.values(), ids=list(CHECKS))
def test_every_check_explains_itself_with_a_passing_and_a_failing_example(check: Check) -> None:
    example = check.explanation.partition(".. rubric:: Example")[2]
    assert "pass" in example
    assert "fails" in example


def test_the_reference_is_valid_and_has_a_section_per_check() -> None:
    tree = publish_doctree(render_reference(), settings_overrides={"halt_level": 2, "report_level": 2})
    assert [str(section.next_node().astext()) for section in tree.findall(lambda n: n.tagname == "section")] == list(
        CHECKS
    )
