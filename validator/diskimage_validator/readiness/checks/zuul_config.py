"""The configuration of every tenant that is wanted has no errors.

Zuul goes on with what it can read: a job with an error is just not there, and whoever waits for it sees no reason.
``config_errors`` tolerates some. A tenant that does not answer is reported by ``zuul-tenants``.

.. rubric:: Example

With this factory::

    services:
      zuul:
        - url: https://zuul.internal
          tenants: [{name: images}]

the line passes if Zuul counts no configuration errors in ``images``.

It fails if a repository names a job that does not exist.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.checks.base import Question, tell
from diskimage_validator.readiness.checks.zuul_tenants import ask_of, without_status
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.zuul import AskTenant

ID: Final = "zuul-config"
TITLE: Final = "Configuration of Zuul's tenants"
SEVERITY: Final = Severity.WARNING
LINE: Final = "Core services"


def asks(factory: Factory) -> Iterator[AskTenant]:
    """Yield a question per tenant."""
    return (ask_of(zuul, tenant) for zuul in factory.rules.services.zuul for tenant in zuul.tenants)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every tenant."""
    for zuul in question.factory.rules.services.zuul:
        for tenant in zuul.tenants:
            evidence = question.seen[ask_of(zuul, tenant)]
            subject, limit = f"{tenant.name} of {zuul.url}", tenant.config_errors
            expected = f"at most {limit} errors" if limit else "no errors"
            fact = without_status(evidence, subject, expected)
            if isinstance(fact, Finding):
                yield fact
                continue
            found = fact.config_errors
            actual = f"{found} configuration errors" if found != 1 else "1 configuration error"
            if found > limit:
                hint = f"see {zuul.url}/api/tenant/{tenant.name}/config-errors"
                yield tell(evidence, subject, Status.FAIL, actual, expected, actual, hint)
            else:
                yield tell(evidence, subject, Status.PASS, actual, expected, actual)
