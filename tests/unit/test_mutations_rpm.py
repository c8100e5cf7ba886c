"""Proof of detection on an image of the RHEL family: one defect at a time, and exactly the findings that it must cause.

Its packages are those that RPM itself installed; the rest of the tree is made. It needs no disk, so it runs here.
"""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from diskimage_validator.facts import collect
from diskimage_validator.runner import run_checks
from tests.mutations import MUTATIONS, suite_policy
from tests.support import rpm_images
from tests.support.memory_engine import MemoryEngine
from tests.support.mutations import Draft, Mutation, unexpected

pytestmark = pytest.mark.skipif(not shutil.which("rpmbuild"), reason="RPM makes the packages: install rpm")

NOW = datetime.now(UTC)
"""Defects that are certificates are valid today."""
NOTHING = Mutation("nothing", "both", lambda draft: None, frozenset())


@pytest.fixture(scope="module")
def sound() -> MemoryEngine:
    return MemoryEngine(rpm_images.rhel(moment=NOW), disk=rpm_images.disk())


@pytest.mark.parametrize("mutation", [NOTHING, *MUTATIONS["rpm"]], ids=lambda mutation: mutation.id)
def test_a_defect_is_found_and_nothing_else(mutation: Mutation, sound: MemoryEngine, tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_bytes(rpm_images.internal_ca(NOW))
    draft = Draft(sound)
    mutation.change(draft)
    rules = (policy := suite_policy("rpm", [authority], tmp_path, mutation.rules)).rules
    facts = collect(draft, commands=rules.commands.names, files=rules.files.paths)
    assert unexpected(mutation, run_checks(policy, facts)) == []
