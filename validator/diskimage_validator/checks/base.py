"""What a check is: an id, a title, a severity, and one generator of findings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from diskimage_validator.facts import Facts
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy, Rules


@dataclass(frozen=True)
class Question:
    """What every check is asked with. ``now`` (UTC) is the moment that validity of certificates is judged at."""

    facts: Facts
    policy: Policy
    now: datetime

    @property
    def rules(self) -> Rules:
        """The policy's rules."""
        return self.policy.rules


@dataclass(frozen=True)
class Check:
    """One entry of the table of checks. ``severity`` is the default; ``explanation`` is the module's docstring."""

    id: str
    title: str
    severity: Severity
    run: Callable[[Question], Iterator[Finding]]
    explanation: str


def not_asked(subject: str) -> Finding:
    """Return the finding of a check that the policy asks nothing of."""
    return Finding(subject, Status.SKIP, "the policy asks nothing here")
