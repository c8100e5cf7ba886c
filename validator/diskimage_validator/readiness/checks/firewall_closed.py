"""From every build node, nothing else is reachable: canaries do not answer, and proxies say no.

Name canaries that do listen, beyond the firewall, and addresses of every family and kind that matters: TCP, a resolver
outside by UDP, something through every proxy. Silence counts as closed, and so do ICMP messages of somebody on the way,
and the lack of a route. A TCP reset does not, unless ``reset_is_closed`` says that the firewall answers so: it looks
like that of a canary on which nobody listens. A proxy has to say no (a status 4xx): one that tried, and failed, would
have done it for a name that exists.

A node without a network reaches no canary either. So nothing is known where none of what has to be reachable answers
over the same family, IPv4 or IPv6.

.. rubric:: Example

With this factory::

    endpoints:
      - {name: mirror.internal}
    firewall:
      nodes: ["ssh://zuul@node.internal"]
      canaries:
        - {address: 192.0.2.80, port: 443}
        - {address: 192.0.2.53, protocol: dns}
      proxies:
        - {proxy: "proxy.internal:3128", allowed: ["mirror.internal:443"], refused: ["www.example.org:443"]}

the line passes if ``mirror.internal`` answers, nothing comes back from both canaries, and the proxy answers 403.

It fails if 192.0.2.80 can be connected to, 192.0.2.53 answers anything at all, or the proxy makes a tunnel. If
192.0.2.80 sends a reset, or ``mirror.internal`` does not answer either, nothing is known: ERROR.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity
from diskimage_validator.readiness.checks.base import Question, cannot_tell
from diskimage_validator.readiness.checks.egress import factory_attempts, judge_closed, place, working
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.egress import AskEgress, Attempt

ID: Final = "firewall-closed"
TITLE: Final = "Nothing else is reachable from build nodes"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Firewall"


def needed(factory: Factory) -> Iterator[Attempt]:
    """Yield what has to work from every node."""
    rules = factory.rules.firewall
    if rules is None:
        return
    if rules.endpoints:
        yield from factory_attempts(factory)
    for address in rules.reachable:
        yield Attempt("tcp", address)
    for proxy in rules.proxies:
        for target in proxy.allowed:
            yield Attempt("connect", proxy.proxy, str(target), proxy.credentials)


def forbidden(factory: Factory) -> Iterator[Attempt]:
    """Yield what must not work from any node."""
    rules = factory.rules.firewall
    for canary in rules.canaries if rules else ():
        yield place(canary.address, canary.port, canary.protocol)
    for proxy in rules.proxies if rules else ():
        for target in proxy.refused:
            yield Attempt("connect", proxy.proxy, str(target), proxy.credentials)


def asks(factory: Factory) -> Iterator[AskEgress]:
    """Yield a question per node: all attempts in one go."""
    attempts = tuple(dict.fromkeys([*needed(factory), *forbidden(factory)]))
    for node in dict.fromkeys(factory.rules.firewall.nodes if factory.rules.firewall else ()):
        if attempts:
            yield AskEgress(node, attempts)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every node and canary."""
    rules = question.factory.rules.firewall
    wanted = set(forbidden(question.factory))
    for ask in asks(question.factory) if rules and wanted else ():
        evidence = question.seen[ask]
        if isinstance(evidence.fact, Unreadable):
            yield cannot_tell(evidence, ask.node, "closed", evidence.fact)
            continue
        works = working(evidence.fact, needed(question.factory))
        for attempt, answers in evidence.fact.found:
            if rules and attempt in wanted:
                yield judge_closed(evidence, ask, attempt, answers, works, rules)
