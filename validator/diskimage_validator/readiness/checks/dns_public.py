"""Names of the world outside do not resolve at the internal resolvers.

A resolver that forwards to the internet is a way out: data leave in the names that are asked for, and a build that
names a public mirror fails late, at the connection, instead of at once. NXDOMAIN, REFUSED and an empty answer are all
right. So is SERVFAIL, which tells that the resolver tried to ask somebody, in vain: the finding says so. A resolver
that does not answer may be asking the world this very moment, so that is neither: ERROR.

Name real hosts that builds would like to reach, and that exist: a name that does not exist anywhere proves nothing.

.. rubric:: Example

With this factory::

    dns:
      resolvers: [192.0.2.53]
      public_names: [www.example.org]

the line passes if the resolver says REFUSED.

It fails if the resolver gives any address.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.dns import AskName, Lookup

ID: Final = "dns-public"
TITLE: Final = "Public names at the internal resolvers"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "DNS"

_EXPECTED: Final = "does not resolve"


def asks(factory: Factory) -> Iterator[AskName]:
    """Yield a question per name and resolver."""
    for name in dict.fromkeys(factory.rules.dns.public_names if factory.rules.dns else ()):
        for resolver in factory.resolvers:
            yield AskName(resolver, name)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every name and resolver."""
    for ask in asks(question.factory):
        yield _judge(f"{ask.name} at {ask.resolver}", question.seen[ask])


def _judge(subject: str, evidence: Evidence[Lookup]) -> Finding:
    fact = evidence.fact
    if isinstance(fact, Unreadable):
        return cannot_tell(evidence, subject, _EXPECTED, fact)
    if fact.trouble:
        hint = "a resolver that forwards to nowhere makes its clients wait: let it refuse what it does not know"
        return tell(evidence, subject, Status.ERROR, fact.trouble, _EXPECTED, "no answer", hint)
    if fact.addresses:
        hint = "take the forwarders and the root hints from the resolver, or let it forward internal zones only"
        return tell(evidence, subject, Status.FAIL, f"resolves to {fact}", _EXPECTED, str(fact), hint)
    remark = ": the resolver tried to ask somebody" if fact.status == "SERVFAIL" else ""
    return tell(evidence, subject, Status.PASS, f"does not resolve: {fact}{remark}", _EXPECTED, str(fact))
