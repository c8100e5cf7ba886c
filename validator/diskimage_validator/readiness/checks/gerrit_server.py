"""Gerrit's REST API answers.

.. rubric:: Example

With this factory::

    services:
      gerrit:
        - url: https://review.internal

the line passes if ``/config/server/version`` tells a version.

It fails if a login page answers in its place.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.checks.base import Question, tell
from diskimage_validator.readiness.checks.web_services import no_answer
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.git import AskGerrit
from diskimage_validator.readiness.facts.trouble import Trouble

ID: Final = "gerrit-server"
TITLE: Final = "Gerrit"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Core services"

_EXPECTED: Final = "tells its version"


def asks(factory: Factory) -> Iterator[AskGerrit]:
    """Yield a question per Gerrit."""
    return (AskGerrit(one.url, one.user, one.password) for one in factory.rules.services.gerrit)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every Gerrit."""
    for ask in asks(question.factory):
        evidence = question.seen[ask]
        if isinstance(evidence.fact, Unreadable | Trouble):
            yield no_answer(evidence, ask.url, _EXPECTED, evidence.fact)
        else:
            version = evidence.fact.version
            yield tell(evidence, ask.url, Status.PASS, f"answers: version {version}", _EXPECTED, version)
