"""Every tenant that is wanted is there, and answers with its state.

The tenant is in the list of Zuul's web server, and its status is read, which comes out of ZooKeeper with all of its
pipelines. A tenant whose queues an administrator has paused, or whose events are discarded, answers as well, and runs
nothing: that fails. Status 422 is Zuul's answer about a tenant that it has not loaded yet.

.. rubric:: Example

With this factory::

    services:
      zuul:
        - url: https://zuul.internal
          tenants: [{name: images}]

the line passes if ``/api/tenants`` lists ``images``, and ``/api/tenant/images/status`` answers.

It fails if there is no such tenant: the message tells those that there are.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.checks.web_services import no_answer, shown
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.trouble import Trouble
from diskimage_validator.readiness.facts.zuul import AskTenant, AskTenants, TenantStatus
from diskimage_validator.readiness.rules.services.zuul import ZuulService, ZuulTenant

ID: Final = "zuul-tenants"
TITLE: Final = "Zuul's tenants"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Core services"

_EXPECTED: Final = "is there, and answers"
_NOT_LOADED: Final = "answers HTTP status 422"
_HALTED: Final = "an administrator of the tenant has done that, and can take it back (POST /api/tenant/NAME/state)"


def asks(factory: Factory) -> Iterator[AskTenants | AskTenant]:
    """Yield a question per Zuul with tenants, and one per tenant."""
    for zuul in factory.rules.services.zuul:
        if zuul.tenants:
            yield AskTenants(zuul.url, zuul.token)
        for tenant in zuul.tenants:
            yield ask_of(zuul, tenant)


def ask_of(zuul: ZuulService, tenant: ZuulTenant) -> AskTenant:
    """Return the question about one tenant, which is the same for all checks that ask about it."""
    return AskTenant(zuul.url, zuul.token, tenant.name, bool(tenant.labels))


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every tenant that is wanted."""
    for zuul in question.factory.rules.services.zuul:
        for tenant in zuul.tenants:
            yield _judge(question, zuul, tenant)


def _judge(question: Question, zuul: ZuulService, tenant: ZuulTenant) -> Finding:
    subject = f"{tenant.name} of {zuul.url}"
    listed, state = question.seen[AskTenants(zuul.url, zuul.token)], question.seen[ask_of(zuul, tenant)]
    if isinstance(listed.fact, Unreadable | Trouble):
        return no_answer(listed, subject, _EXPECTED, listed.fact)
    if tenant.name not in listed.fact.names:
        there = shown(list(listed.fact.names)) or "none"
        hint = "add it to the scheduler's tenant configuration, and reconfigure; is the name right?"
        return tell(listed, subject, Status.FAIL, f"there is no such tenant, but {there}", _EXPECTED, there, hint)
    fact = state.fact
    if isinstance(fact, Unreadable | Trouble):
        hint = "Zuul has not loaded this tenant: look into the log of the scheduler and of the web server"
        waiting = isinstance(fact, Trouble) and fact.text.startswith(_NOT_LOADED)
        return no_answer(state, subject, _EXPECTED, fact, hint if waiting else "")
    if fact.halted:
        actual = ", ".join(fact.halted)
        return tell(state, subject, Status.FAIL, f"is halted: {actual}", _EXPECTED, actual, _HALTED)
    number = "1 pipeline" if len(fact.pipelines) == 1 else f"{len(fact.pipelines)} pipelines"
    actual = number + (f" ({shown(list(fact.pipelines))})" if fact.pipelines else "")
    return tell(state, subject, Status.PASS, f"answers: {actual}", _EXPECTED, actual)


def without_status(evidence: Evidence[TenantStatus | Trouble], subject: str, expected: str) -> TenantStatus | Finding:
    """Return the state of a tenant, or the finding on one without: only ``zuul-tenants`` calls that a failure."""
    fact = evidence.fact
    if isinstance(fact, Unreadable):
        return cannot_tell(evidence, subject, expected, fact)
    if isinstance(fact, Trouble):
        return tell(evidence, subject, Status.SKIP, f"no answer, see zuul-tenants: {fact.text}", expected)
    return fact
