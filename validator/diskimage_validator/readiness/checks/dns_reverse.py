"""The addresses of endpoints with ``reverse`` resolve back to their names (PTR), at every internal resolver.

sshd, Kerberos, mail and some proxies look clients and servers up by their addresses, and wait for a time-out where
nobody answers.

.. rubric:: Example

With this factory::

    endpoints:
      - {name: zuul.internal, addresses: [192.0.2.10], reverse: true}
    dns:
      resolvers: [192.0.2.53]

the line passes if the PTR record of ``192.0.2.10`` is ``zuul.internal``; further PTR records do not matter.

It fails if there is none, or only ``old-zuul.internal``.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.dns import AskReverse, Reverse

ID: Final = "dns-reverse"
TITLE: Final = "Reverse DNS"
SEVERITY: Final = Severity.WARNING
LINE: Final = "DNS"


def asks(factory: Factory) -> Iterator[AskReverse]:
    """Yield a question per address and resolver."""
    return (ask for _, ask in _questions(factory))


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every name, address and resolver."""
    for name, ask in _questions(question.factory):
        yield _judge(name, f"{ask.ip} at {ask.resolver}", question.seen[ask])


def _questions(factory: Factory) -> Iterator[tuple[str, AskReverse]]:
    wanted = {
        (endpoint.name, ip): None
        for endpoint in factory.rules.endpoints
        if endpoint.reverse
        for ip in endpoint.addresses or ()
    }
    for name, ip in wanted:
        for resolver in factory.resolvers:
            yield name, AskReverse(resolver, ip)


def _judge(name: str, subject: str, evidence: Evidence[Reverse]) -> Finding:
    fact = evidence.fact
    if isinstance(fact, Unreadable):
        return cannot_tell(evidence, subject, name, fact)
    if fact.trouble:
        hint = "is the resolver up, and may this host ask it?"
        return tell(evidence, subject, Status.FAIL, fact.trouble, name, "no answer", hint)
    actual = ", ".join(fact.names) or ("no PTR record" if fact.status == "NOERROR" else fact.status)
    if name in fact.names:
        return tell(evidence, subject, Status.PASS, f"is {actual}", name, actual)
    message = f"is {actual}, and not {name}" if fact.names else f"has no name: {actual}"
    return tell(
        evidence, subject, Status.FAIL, message, name, actual, f"add a PTR record for {name} to the reverse zone"
    )
