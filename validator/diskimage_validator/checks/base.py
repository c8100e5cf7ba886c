"""What a check is: an id, a title, a severity, and one generator of findings."""

from collections.abc import Callable, Iterator
from datetime import datetime

from diskimage_validator.facts import Facts
from diskimage_validator.frozen import dataclass
from diskimage_validator.model import Finding, Severity
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
    """One entry of the table of checks.

    ``severity`` is the default; ``needs`` are the fields of Facts that it looks at; ``asked`` says whether a policy
    asks for it at all (else it does not run); ``explanation`` is the module's docstring.
    """

    id: str
    title: str
    severity: Severity
    needs: tuple[str, ...]
    asked: Callable[[Policy], bool]
    run: Callable[[Question], Iterator[Finding]]
    explanation: str


def always(_: Policy) -> bool:
    """For a check that every policy asks for."""
    return True
