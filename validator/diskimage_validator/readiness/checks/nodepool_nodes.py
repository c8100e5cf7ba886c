"""As many nodes are ready as are wanted.

Nodepool keeps ``min-ready`` nodes of a label waiting; a cloud without quota, or nodes that do not answer, show here.

.. rubric:: Example

With this factory::

    services:
      nodepool:
        - url: https://nodepool.internal
          ready_nodes: {debian-bookworm-airgap: 2}

the line passes if ``/node-list`` has two nodes or more with that label in the state ``ready``.

It fails if one of them is still ``building``.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.checks.base import Question, tell
from diskimage_validator.readiness.checks.nodepool_images import READY
from diskimage_validator.readiness.checks.web_services import no_answer
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.nodepool import AskNodes
from diskimage_validator.readiness.facts.trouble import Trouble

ID: Final = "nodepool-nodes"
TITLE: Final = "Ready nodes of Nodepool"
SEVERITY: Final = Severity.WARNING
LINE: Final = "Core services"


def asks(factory: Factory) -> Iterator[AskNodes]:
    """Yield a question per launcher with nodes."""
    return (AskNodes(nodepool.url) for nodepool in factory.rules.services.nodepool if nodepool.ready_nodes)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every label."""
    for nodepool in question.factory.rules.services.nodepool:
        for label, wanted in nodepool.ready_nodes.items():
            evidence, subject = question.seen[AskNodes(nodepool.url)], f"{label} of {nodepool.url}"
            expected = f"{wanted} ready"
            if isinstance(evidence.fact, Unreadable | Trouble):
                yield no_answer(evidence, subject, expected, evidence.fact)
                continue
            states = Counter(state for labels, state in evidence.fact.found if label in labels)
            others = [f"{number} {state}" for state, number in sorted(states.items()) if state != READY]
            actual = ", ".join([f"{states[READY]} ready", *others])
            if states[READY] < wanted:
                hint = "look into the launcher's log: quota, image, and whether nodes answer on SSH"
                message = f"{actual}; {wanted} wanted"
                yield tell(evidence, subject, Status.FAIL, message, expected, actual, hint)
            else:
                yield tell(evidence, subject, Status.PASS, actual, expected, actual)
