"""From a tree to facts and findings, in one call."""

from diskimage_validator.checks import CHECKS
from diskimage_validator.checks.base import Question
from diskimage_validator.engines.base import Disk
from diskimage_validator.facts import Facts, collect
from diskimage_validator.model import NOT_ASKED, Finding, Status
from diskimage_validator.policy_model import Policy
from tests.support import pki
from tests.support.memory_engine import Entry, MemoryEngine


def facts_of(tree: dict[str, Entry], *, disk: Disk | None = None, commands: tuple[str, ...] = ()) -> Facts:
    """Collect the facts of ``tree``."""
    with MemoryEngine(tree, disk=disk) as engine:
        return collect(engine, commands=commands)


def ask(
    check: str,
    tree: dict[str, Entry],
    policy: Policy,
    *,
    disk: Disk | None = None,
    commands: tuple[str, ...] = (),
) -> list[Finding]:
    """Run one check by id over ``tree``, with the facts that it needs and no others, at the moment ``pki.NOW``."""
    if not CHECKS[check].asked(policy):
        return [Finding(check, Status.SKIP, NOT_ASKED)]
    with MemoryEngine(tree, disk=disk) as engine:
        facts = collect(engine, commands=commands, only=CHECKS[check].needs)
    question = Question(facts, policy, pki.NOW)
    return list(CHECKS[check].run(question))


def only(findings: list[Finding]) -> Finding:
    """Return the one finding there is."""
    assert len(findings) == 1, findings
    return findings[0]


def failures(findings: list[Finding]) -> list[Finding]:
    """Return the findings that do not pass."""
    return [finding for finding in findings if finding.status is not Status.PASS]
