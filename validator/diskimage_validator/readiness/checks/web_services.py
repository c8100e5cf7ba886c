"""Web services that do not answer: what every check that asks one says of it."""

from typing import Any, Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import cannot_tell, tell
from diskimage_validator.readiness.checks.services import REMEDIES
from diskimage_validator.readiness.facts.trouble import Trouble

MAX_SHOWN: Final = 10
"""Names in one line of a report."""


def no_answer(
    evidence: Evidence[Any], subject: str, expected: str, fact: Unreadable | Trouble, hint: str = ""
) -> Finding:
    """Return the finding on a service that gave no answer that can be used; ``hint`` if the usual one would mislead."""
    if isinstance(fact, Unreadable):
        return cannot_tell(evidence, subject, expected, fact)
    return tell(evidence, subject, Status.FAIL, fact.text, expected, "no answer", hint or REMEDIES[fact.kind])


def shown(names: list[str]) -> str:
    """Return some names for a report, and how many more there are."""
    more = f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else ""
    return ", ".join(names[:MAX_SHOWN]) + more
