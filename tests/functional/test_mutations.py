"""Proof of detection: one defect at a time in the tree of the real image, and exactly the findings that it must cause.

The tree is read through libguestfs once and remembered; each defect is a layer on top of it. An RPM tree, with a
database that rpm itself wrote, takes the defects that are about RPM systems or about both.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from diskimage_validator.certificates import parse_certificates
from diskimage_validator.engines.base import Engine
from diskimage_validator.engines.open import open_target
from diskimage_validator.facts import collect
from diskimage_validator.model import Report
from diskimage_validator.policy_model import Policy
from diskimage_validator.runner import run_checks
from tests.functional.conftest import BuiltImage
from tests.mutations import MUTATIONS, suite_policy
from tests.support.mutations import Draft, Mutation, Remembered, unexpected

LOG = logging.getLogger("mutations")
FOUND: dict[str, list[str]] = {}
"""Family of the tree to the ids of the defects that were found."""


@pytest.fixture(scope="module")
def deb_tree(node_image: BuiltImage) -> Iterator[Engine]:
    with open_target(str(node_image.path)) as engine:
        yield Remembered(engine)


@pytest.fixture(scope="module")
def deb_policy(node_image: BuiltImage) -> Policy:
    return suite_policy("deb", [node_image.authority])


def verdict(engine: Engine, policy: Policy) -> Report:
    commands = {name for names in policy.rules.commands.required for name in names}
    return run_checks(policy, collect(engine, commands=commands))


def test_the_real_image_has_no_finding(deb_tree: Engine, deb_policy: Policy) -> None:
    nothing = Mutation("nothing", "deb", lambda draft: None, frozenset())
    assert unexpected(nothing, verdict(Draft(deb_tree), deb_policy)) == []


@pytest.mark.parametrize("mutation", MUTATIONS["deb"], ids=lambda mutation: mutation.id)
def test_a_defect_in_the_real_image_is_found(
    mutation: Mutation, deb_tree: Engine, node_image: BuiltImage
) -> None:
    draft = Draft(deb_tree)
    mutation.change(draft)
    policy = suite_policy("deb", [node_image.authority], mutation.rules)
    assert unexpected(mutation, verdict(draft, policy)) == []
    FOUND.setdefault("deb", []).append(mutation.id)
