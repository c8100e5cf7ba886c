"""Nodepool's launchers offer the labels that jobs ask for.

.. rubric:: Example

With this factory::

    services:
      nodepool:
        - url: https://nodepool.internal
          labels: [debian-bookworm-airgap]

the line passes if ``/label-list`` of the launcher's status page has ``debian-bookworm-airgap``.

It fails if no pool of any launcher has it: a job that asks for it waits, or ends with NODE_FAILURE.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.checks.base import Question, tell
from diskimage_validator.readiness.checks.web_services import no_answer, shown
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.nodepool import AskLabels
from diskimage_validator.readiness.facts.trouble import Trouble

ID: Final = "nodepool-labels"
TITLE: Final = "Labels of Nodepool"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Core services"


def asks(factory: Factory) -> Iterator[AskLabels]:
    """Yield a question per launcher with labels."""
    return (AskLabels(nodepool.url) for nodepool in factory.rules.services.nodepool if nodepool.labels)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every launcher with labels."""
    for nodepool in question.factory.rules.services.nodepool:
        if not nodepool.labels:
            continue
        evidence, expected = question.seen[AskLabels(nodepool.url)], shown(nodepool.labels)
        if isinstance(evidence.fact, Unreadable | Trouble):
            yield no_answer(evidence, nodepool.url, expected, evidence.fact)
            continue
        there = evidence.fact.names
        missing = [label for label in nodepool.labels if label not in there]
        actual = shown(list(there)) or "none"
        if missing:
            hint = "add it to a pool in nodepool.yaml, and look whether the launcher of that pool runs"
            message = f"lacks {shown(missing)}; there are {actual}"
            yield tell(evidence, nodepool.url, Status.FAIL, message, expected, actual, hint)
        else:
            yield tell(evidence, nodepool.url, Status.PASS, f"has {expected}", expected, actual)
