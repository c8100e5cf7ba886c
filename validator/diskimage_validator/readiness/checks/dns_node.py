"""Names of the world outside do not resolve on the build nodes.

The resolvers that a node really asks may be others than those that it should ask, and ``/etc/hosts`` and NSS modules
have their say as well; so ``getent ahosts`` is run on the node, which does what its programs do.

.. rubric:: Example

With this factory::

    dns:
      resolvers: [192.0.2.53]
      public_names: [www.example.org]
      nodes: ["ssh://zuul@node.internal"]

the line passes if the node cannot resolve ``www.example.org``.

It fails if the node gets an address, from wherever. A node that cannot be logged in to is neither: ERROR.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.dns import AskNode

ID: Final = "dns-node"
TITLE: Final = "Public names on the build nodes"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "DNS"

_EXPECTED: Final = "does not resolve"


def asks(factory: Factory) -> Iterator[AskNode]:
    """Yield a question per node."""
    dns = factory.rules.dns
    for node in dict.fromkeys(dns.nodes if dns and dns.public_names else ()):
        yield AskNode(node, tuple(dict.fromkeys(dns.public_names if dns else ())))


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every node and name."""
    for ask in asks(question.factory):
        evidence = question.seen[ask]
        fact = evidence.fact
        if isinstance(fact, Unreadable):
            yield cannot_tell(evidence, ask.node, _EXPECTED, fact)
            continue
        for name, addresses in fact.found:
            subject, actual = f"{name} on {ask.node}", ", ".join(addresses)
            if addresses:
                hint = "look at resolv.conf and hosts on the node, and at the resolver that it names"
                yield tell(evidence, subject, Status.FAIL, f"resolves to {actual}", _EXPECTED, actual, hint)
            else:
                yield tell(evidence, subject, Status.PASS, "does not resolve", _EXPECTED, "not found")
