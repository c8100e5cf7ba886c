"""Jobs of every tenant may ask for the node labels that they need.

A label is there if a launcher offers it, Nodepool's or Zuul's own, and the tenant is allowed to use it. A tenant that
does not answer is reported by ``zuul-tenants``.

.. rubric:: Example

With this factory::

    services:
      zuul:
        - url: https://zuul.internal
          tenants:
            - {name: images, labels: [debian-bookworm-airgap]}

the line passes if ``/api/tenant/images/labels`` lists ``debian-bookworm-airgap``.

It fails if no launcher offers it.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.checks.base import Question, tell
from diskimage_validator.readiness.checks.web_services import shown
from diskimage_validator.readiness.checks.zuul_tenants import ask_of, without_status
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.zuul import AskTenant

ID: Final = "zuul-labels"
TITLE: Final = "Node labels of Zuul's tenants"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Core services"


def asks(factory: Factory) -> Iterator[AskTenant]:
    """Yield a question per tenant with labels."""
    return (ask_of(zuul, tenant) for zuul in factory.rules.services.zuul for tenant in zuul.tenants if tenant.labels)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every tenant with labels."""
    for zuul in question.factory.rules.services.zuul:
        for tenant in zuul.tenants:
            if not tenant.labels:
                continue
            evidence = question.seen[ask_of(zuul, tenant)]
            subject, expected = f"{tenant.name} of {zuul.url}", shown(tenant.labels)
            fact = without_status(evidence, subject, expected)
            if isinstance(fact, Finding):
                yield fact
                continue
            there = sorted(set(fact.labels or ()))
            missing = [label for label in tenant.labels if label not in there]
            actual = shown(there) or "none"
            if missing:
                hint = "does a launcher offer it, and do 'allowed-labels' of the tenant let it pass?"
                message = f"lacks {shown(missing)}; there are {actual}"
                yield tell(evidence, subject, Status.FAIL, message, expected, actual, hint)
            else:
                yield tell(evidence, subject, Status.PASS, f"has {expected}", expected, actual)
