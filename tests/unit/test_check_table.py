"""The table of checks and the reference made from it."""

import ast
from pathlib import Path
from types import ModuleType

import pytest
from docutils.core import publish_doctree

from diskimage_validator import checks
from diskimage_validator.catalogue import Described, everything
from diskimage_validator.checks import CHECKS
from diskimage_validator.checks.reference import render_reference
from diskimage_validator.readiness import checks as readiness_checks
from diskimage_validator.readiness.checks import READINESS_CHECKS


@pytest.mark.parametrize(("package", "table"), [(checks, CHECKS), (readiness_checks, READINESS_CHECKS)])
def test_every_check_in_the_folder_is_in_the_table(package: ModuleType, table: dict[str, Described]) -> None:
    ids = set()
    for path in Path(package.__file__ or "").parent.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "ID":
                ids.add(ast.literal_eval(node.value or ast.Constant(None)))
    assert ids == set(table)


def test_no_two_checks_have_one_id() -> None:
    assert len(everything()) == len(CHECKS) + len(READINESS_CHECKS)


@pytest.mark.parametrize("check", everything().values(), ids=list(everything()))
def test_every_check_explains_itself_with_a_passing_and_a_failing_example(check: Described) -> None:
    example = check.explanation.partition(".. rubric:: Example")[2]
    assert "pass" in example
    assert "fail" in example.partition("pass")[2]


@pytest.mark.parametrize("table", [CHECKS, READINESS_CHECKS])
def test_the_reference_is_valid_and_has_a_section_per_check(table: dict[str, Described]) -> None:
    tree = publish_doctree(render_reference(table.values()), settings_overrides={"halt_level": 2, "report_level": 2})
    assert [str(section.next_node().astext()) for section in tree.findall(lambda n: n.tagname == "section")] == list(
        table
    )
