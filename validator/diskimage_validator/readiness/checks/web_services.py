"""Web services that do not answer: what every check that asks one says of it."""

from typing import Any, Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import cannot_tell, tell
from diskimage_validator.readiness.facts.web import Kind, NoAnswer

HINTS: Final[dict[Kind, str]] = {
    "name": "add it to the zone: see dns-names",
    "refused": "is the service running, and does it listen on this address and port?",
    "unreachable": "look at routes and firewalls between this host and the service",
    "silent": "is the service overloaded, or does a firewall drop the packets?",
    "tls": "is its CA in 'certificates.bundle', and is its certificate for this name? See tls-chain",
    "redirect": "name that place in the factory.yaml, if it is the right one",
    "denied": "are credentials needed, or have those of the factory.yaml been revoked?",
    "absent": "is the URL right, and is what is asked for there?",
    "status": "look into the log of the service, and of the proxy in front of it",
    "answer": "is the URL that of the service itself, and not of a proxy's error page or login?",
}

MAX_SHOWN: Final = 10
"""Names in one line of a report."""


def no_answer(
    evidence: Evidence[Any], subject: str, expected: str, fact: Unreadable | NoAnswer, hint: str = ""
) -> Finding:
    """Return the finding on a service that gave no answer that can be used; ``hint`` if the usual one would mislead."""
    if isinstance(fact, Unreadable):
        return cannot_tell(evidence, subject, expected, fact)
    return tell(evidence, subject, Status.FAIL, fact.reason, expected, "no answer", hint or HINTS[fact.kind])


def shown(names: list[str]) -> str:
    """Return some names for a report, and how many more there are."""
    more = f" and {len(names) - MAX_SHOWN} more" if len(names) > MAX_SHOWN else ""
    return ", ".join(names[:MAX_SHOWN]) + more
