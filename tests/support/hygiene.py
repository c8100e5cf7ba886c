"""What the tests of hygiene share: one switch of the policy, asked over a tree with changes."""

from collections.abc import Callable
from typing import Any

from diskimage_validator.checks import CHECKS
from diskimage_validator.checks.base import Question
from diskimage_validator.facts import collect
from diskimage_validator.model import Finding, Status
from tests.support import images, pki
from tests.support.memory_engine import Entry, MemoryEngine
from tests.support.mutations import Draft


def ask_draft(check: str, tree: dict[str, Entry], change: Callable[[Draft], None], **sections: Any) -> list[Finding]:
    """Run one check over ``tree`` with ``change`` applied: for folders, owners and whatever else a dict cannot say."""
    draft = Draft(MemoryEngine(tree))
    change(draft)
    policy = images.policy(**sections)
    assert CHECKS[check].asked(policy)
    facts = collect(draft, only=CHECKS[check].needs)
    return list(CHECKS[check].run(Question(facts, policy, pki.NOW)))


def failed(findings: list[Finding]) -> list[str]:
    """Return the subjects of the failures; anything else has to be a pass."""
    assert all(finding.status in (Status.PASS, Status.FAIL) for finding in findings), findings
    return [finding.subject for finding in findings if finding.status is Status.FAIL]
