"""What a check of readiness is: what it asks, and one generator of findings over the answers."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.frozen import dataclass
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Ask, Evidence, Fact, Seen
from diskimage_validator.readiness.factory import Factory


@dataclass(frozen=True)
class Question:
    """What every check is asked with. ``now`` (UTC) is the moment that validity of certificates is judged at."""

    factory: Factory
    seen: Seen
    now: datetime


@dataclass(frozen=True)
class Check:
    """One entry of the table of checks; ``line`` is that of the checklist which it belongs to.

    ``asks`` yields what it has to know about a factory: nothing, if that does not ask for the check.
    """

    id: str
    title: str
    severity: Severity
    line: str
    asks: Callable[[Factory], Iterator[Ask[Any]]]
    run: Callable[[Question], Iterator[Finding]]
    explanation: str


def tell(
    evidence: Evidence[Fact],
    subject: str,
    status: Status,
    message: str,
    expected: str = "",
    actual: str = "",
    hint: str = "",
) -> Finding:
    """Return a finding that says what was tried, and when."""
    return Finding(subject, status, message, expected, actual, hint, tried=evidence.ask.tried, when=evidence.when)


def tell_of_all(
    evidence: Sequence[Evidence[Fact]],
    subject: str,
    status: Status,
    message: str,
    expected: str = "",
    actual: str = "",
    hint: str = "",
) -> Finding:
    """Return a finding on what several were asked; ``when`` is the moment of the last question."""
    tried = "; ".join(dict.fromkeys(one.ask.tried for one in evidence))
    when = max(one.when for one in evidence)
    return Finding(subject, status, message, expected, actual, hint, tried=tried, when=when)


def cannot_tell(evidence: Evidence[Fact], subject: str, expected: str, unknown: Unreadable) -> Finding:
    """Return the finding that stands in for a verdict where a probe gave no fact."""
    return tell(evidence, subject, Status.ERROR, unknown.reason, expected, hint=unknown.hint)
