"""From every build node, what builds need is reachable: each endpoint on its port, the resolvers, allowed proxies.

A connection is opened and nothing is sent on it; a resolver is asked for one name by UDP; a proxy is asked for a tunnel
(``CONNECT``). All attempts from a node are made in one login, by a script that its ``python3`` reads from standard
input, 32 at a time, each within ``limits.timeout``. A name is resolved on the node, and every address that it has there
(four at most) has to answer: one that does not makes builds slow, or fail now and then.

.. rubric:: Example

With this factory::

    endpoints:
      - {name: registry.internal, port: 5000}
    firewall:
      nodes: ["ssh://zuul@node.internal"]

the line passes if a connection from the node to ``registry.internal:5000`` is made.

It fails if there is no answer, or a refusal, or an ICMP message; the finding says which, and who sent it. A node
without Python, or one that cannot be logged in to, is neither: ERROR.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity
from diskimage_validator.readiness.checks.base import Question, cannot_tell
from diskimage_validator.readiness.checks.egress import judge_open
from diskimage_validator.readiness.checks.firewall_closed import asks, needed

ID: Final = "firewall-open"
TITLE: Final = "What build nodes need is reachable"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Firewall"


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every node and attempt."""
    wanted = set(needed(question.factory))
    for ask in asks(question.factory):
        evidence = question.seen[ask]
        if isinstance(evidence.fact, Unreadable):
            yield cannot_tell(evidence, ask.node, "works", evidence.fact)
            continue
        for attempt, answers in evidence.fact.found:
            if attempt in wanted:
                yield judge_open(evidence, ask, attempt, answers)
