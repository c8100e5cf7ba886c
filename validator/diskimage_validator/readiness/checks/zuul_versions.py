"""All components of Zuul have the same version.

Zuul may be upgraded while it runs; between two versions it works in the older one's manner. An upgrade that was left
half done is found here, before a scheduler is restarted that is the last one with the old version.

.. rubric:: Example

With this factory::

    services:
      zuul:
        - url: https://zuul.internal

the line passes if all components say ``14.3.0``.

It fails if one executor still says ``14.2.0``.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.checks import zuul_components
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.checks.web_services import shown
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.trouble import Trouble
from diskimage_validator.readiness.facts.zuul import AskComponents

ID: Final = "zuul-versions"
TITLE: Final = "One version of Zuul"
SEVERITY: Final = Severity.WARNING
LINE: Final = "Core services"

_EXPECTED: Final = "the same version everywhere"


def asks(factory: Factory) -> Iterator[AskComponents]:
    """Yield the questions of zuul-components."""
    return zuul_components.asks(factory)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every Zuul."""
    for ask in asks(question.factory):
        evidence = question.seen[ask]
        fact = evidence.fact
        if isinstance(fact, Unreadable):
            yield cannot_tell(evidence, ask.url, _EXPECTED, fact)
            continue
        if isinstance(fact, Trouble):
            yield tell(evidence, ask.url, Status.SKIP, f"no answer, see zuul-components: {fact.text}", _EXPECTED)
            continue
        by_version: dict[str, list[str]] = {}
        for one in fact.found:
            by_version.setdefault(one.version or "unknown", []).append(f"{one.kind} {one.hostname}")
        actual = "; ".join(f"{version}: {shown(names)}" for version, names in sorted(by_version.items()))
        if len(by_version) == 1 and "unknown" not in by_version:
            yield tell(evidence, ask.url, Status.PASS, f"all have {next(iter(by_version))}", _EXPECTED, actual)
        elif by_version:
            hint = "finish the upgrade: install the same version everywhere and restart what is older"
            yield tell(evidence, ask.url, Status.FAIL, f"they differ: {actual}", _EXPECTED, actual, hint)
        else:
            hint = "start the components; what runs and is missing here has lost its ZooKeeper"
            yield tell(evidence, ask.url, Status.FAIL, "no component is connected", _EXPECTED, "none", hint)
