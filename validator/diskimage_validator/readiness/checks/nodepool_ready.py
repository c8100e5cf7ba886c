"""Every Nodepool launcher says that it is ready.

It does so when it has started all of its providers. What it offers is not a part of that: see ``nodepool-labels``.

.. rubric:: Example

With this factory::

    services:
      nodepool:
        - url: https://nodepool.internal

the line passes if ``/ready`` of the launcher's status page says OK.

It fails with status 503: the launcher waits for ZooKeeper or a cloud, or a proxy in front of it finds none that runs.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.checks.base import Question, tell
from diskimage_validator.readiness.checks.web_services import no_answer
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.nodepool import AskLauncher
from diskimage_validator.readiness.facts.trouble import Trouble

ID: Final = "nodepool-ready"
TITLE: Final = "Nodepool launchers"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Core services"

_EXPECTED: Final = "ready"


def asks(factory: Factory) -> Iterator[AskLauncher]:
    """Yield a question per launcher."""
    return (AskLauncher(nodepool.url) for nodepool in factory.rules.services.nodepool)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every launcher."""
    for ask in dict.fromkeys(asks(question.factory)):
        evidence = question.seen[ask]
        if isinstance(evidence.fact, Unreadable | Trouble):
            yield no_answer(evidence, ask.url, _EXPECTED, evidence.fact)
        elif evidence.fact.ready:
            yield tell(evidence, ask.url, Status.PASS, "is ready", _EXPECTED, "ready")
        else:
            hint = (
                "look into its log: it starts its providers, with ZooKeeper and their clouds. A proxy may say so, too"
            )
            yield tell(evidence, ask.url, Status.FAIL, "is not ready (status 503)", _EXPECTED, "status 503", hint)
