"""Every endpoint's name resolves at every internal resolver, to the addresses that it has to have.

A and AAAA records are asked for. Without ``addresses`` one record of either is enough; with them, the records are
exactly these: one that is missing, and one too many, send some of the builds elsewhere. An endpoint that is named by
its IP address is passed over.

.. rubric:: Example

With this factory::

    endpoints:
      - {name: registry.internal, addresses: [192.0.2.10]}
    dns:
      resolvers: [192.0.2.53, 192.0.2.54]

the line passes if both resolvers say ``192.0.2.10``.

It fails if one of them knows no such name, does not answer, or still says ``192.0.2.9``.
"""

import ipaddress
from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.dns import AskName, Lookup
from diskimage_validator.readiness.rules.endpoints import ServiceEndpoint

ID: Final = "dns-names"
TITLE: Final = "DNS entries of the endpoints"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "DNS"


def asks(factory: Factory) -> Iterator[AskName]:
    """Yield a question per name and resolver."""
    return (ask for _, ask in _questions(factory))


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every name and resolver."""
    for endpoint, ask in _questions(question.factory):
        yield _judge(endpoint, f"{ask.name} at {ask.resolver}", question.seen[ask])


def _questions(factory: Factory) -> Iterator[tuple[ServiceEndpoint, AskName]]:
    """Yield every name once, with the endpoint that says most about it, at every resolver."""
    named = [endpoint for endpoint in factory.rules.endpoints if endpoint.address.ip is None]
    unique = {endpoint.name: endpoint for endpoint in sorted(named, key=lambda endpoint: bool(endpoint.addresses))}
    for name in dict.fromkeys(endpoint.name for endpoint in named):
        for resolver in factory.resolvers:
            yield unique[name], AskName(resolver, name)


def _judge(endpoint: ServiceEndpoint, subject: str, evidence: Evidence[Lookup]) -> Finding:
    wanted = sorted(map(ipaddress.ip_address, endpoint.addresses or ()), key=lambda ip: (ip.version, ip))
    expected = ", ".join(map(str, wanted)) or "an A or AAAA record"
    fact = evidence.fact
    if isinstance(fact, Unreadable):
        return cannot_tell(evidence, subject, expected, fact)
    if fact.trouble:
        hint = "is the resolver up, and may this host ask it?"
        return tell(evidence, subject, Status.FAIL, fact.trouble, expected, "no answer", hint)
    if not fact.addresses:
        hint = f"add {endpoint.name} to the zone, and reload the resolver"
        return tell(evidence, subject, Status.FAIL, f"does not resolve: {fact}", expected, str(fact), hint)
    found = set(fact.addresses)
    missing = sorted(set(endpoint.addresses or ()) - found)
    extra = sorted(found - set(endpoint.addresses)) if endpoint.addresses else []
    if missing or extra:
        parts = [f"{word} {', '.join(ips)}" for word, ips in (("lacks", missing), ("has besides", extra)) if ips]
        message = f"resolves to {fact}: it {' and '.join(parts)}"
        return tell(
            evidence, subject, Status.FAIL, message, expected, str(fact), "correct the zone, or the factory.yaml"
        )
    return tell(evidence, subject, Status.PASS, f"resolves to {fact}", expected, str(fact))
