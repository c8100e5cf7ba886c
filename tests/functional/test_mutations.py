"""Proof of detection: one defect at a time in the tree of the real image, and exactly the findings that it must cause.

The tree is read through libguestfs once and remembered; each defect is a layer on top of it. An RPM tree, with a
database that rpm itself wrote, takes the defects that are about RPM systems or about both.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from diskimage_validator.engines.base import Engine
from diskimage_validator.engines.open import open_target
from diskimage_validator.facts import USUAL, collect
from diskimage_validator.runner import run_checks
from tests.functional.conftest import BuiltImage
from tests.mutations import MUTATIONS, suite_policy
from tests.support import rpm_images
from tests.support.memory_engine import MemoryEngine
from tests.support.mutations import Draft, Mutation, Remembered, unexpected

LOG = logging.getLogger("mutations")
FOUND: dict[str, list[str]] = {}
"""Family of the tree to the ids of the defects that were found."""


@dataclass(frozen=True)
class Subject:
    """A sound tree, and the CA that it trusts."""

    family: str
    engine: Engine
    authority: Path


@pytest.fixture(scope="module")
def deb(node_image: BuiltImage) -> Iterator[Subject]:
    with open_target(str(node_image.path)) as engine:
        yield Subject("deb", Remembered(engine), node_image.authority)


@pytest.fixture(scope="module")
def rpm(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    today = datetime.now(UTC)  # what the defects' certificates are made for, too
    authority = tmp_path_factory.mktemp("rpm") / "ca.pem"
    authority.write_bytes(rpm_images.internal_ca(today))
    return Subject("rpm", MemoryEngine(rpm_images.rhel(moment=today), disk=rpm_images.disk()), authority)


def wrong(subject: Subject, mutation: Mutation, folder: Path) -> list[str]:
    """Put the defect into the tree and return what the verdict misses or has too much."""
    draft = Draft(subject.engine)
    mutation.change(draft)
    policy = suite_policy(subject.family, [subject.authority], folder, mutation.rules)
    commands, files = policy.rules.commands.names, policy.rules.files.paths
    intact = policy.rules.packages.intact
    facts = collect(
        draft,
        commands=commands,
        files=files,
        intact=intact.packages if intact else (),
        only=USUAL | ({"package_files"} if intact else set()),
    )
    found = unexpected(mutation, run_checks(policy, facts))
    if not found:
        FOUND.setdefault(subject.family, []).append(mutation.id)
    return found


NOTHING = Mutation("nothing", "both", lambda draft: None, frozenset(), {"provenance": {"matches": True}})


def test_the_real_image_has_no_finding(deb: Subject, tmp_path: Path) -> None:
    assert wrong(deb, NOTHING, tmp_path) == []


@pytest.mark.parametrize("mutation", MUTATIONS["deb"], ids=lambda mutation: mutation.id)
def test_a_defect_in_the_real_image_is_found(mutation: Mutation, deb: Subject, tmp_path: Path) -> None:
    assert wrong(deb, mutation, tmp_path) == []


def test_the_rpm_tree_has_no_finding(rpm: Subject, tmp_path: Path) -> None:
    assert wrong(rpm, NOTHING, tmp_path) == []


@pytest.mark.parametrize("mutation", MUTATIONS["rpm"], ids=lambda mutation: mutation.id)
def test_a_defect_in_the_rpm_tree_is_found(mutation: Mutation, rpm: Subject, tmp_path: Path) -> None:
    assert wrong(rpm, mutation, tmp_path) == []


def test_the_score() -> None:
    """Print how many kinds of defect were found, after all others ran; there are to be at least 60."""
    for family, mutations in MUTATIONS.items():
        found = set(FOUND.get(family, ()))
        kinds = {mutation.id for mutation in mutations}
        LOG.warning("mutations: %s: %d of %d kinds of defect found", family, len(found & kinds), len(kinds))
    assert len({mutation.id for mutations in MUTATIONS.values() for mutation in mutations}) >= 60
