"""From a running node the allowed endpoints answer, and what the firewall has to stop does not.

The node opens a TCP connection to each endpoint, by bash or Python, whichever it has, and waits for eight seconds.
``allowed`` have to answer. ``blocked`` must not: name servers that do listen, beyond the firewall; a port where nobody
listens proves nothing, which is why a refusal there is neither a pass nor a failure. It can be the server's own. A name
that has no address on the node proves nothing either, for nothing was sent: name what is outside by its address.

.. rubric:: Example

With this policy::

    live:
      egress:
        allowed: ["mirror.internal:443", "registry.internal:443"]
        blocked: ["192.0.2.80:443"]

a node passes that reaches both mirrors, while its packets to 192.0.2.80 are dropped.

A node fails that reaches 192.0.2.80, too, or one without a route to the registry.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.running import not_running
from diskimage_validator.facts import known
from diskimage_validator.facts.live.probes import Probe
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "live-egress"
TITLE: Final = "Egress of a running node"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("live_egress",)

_ALLOWED: Final = "answers"
_BLOCKED: Final = "does not answer"


def asked(policy: Policy) -> bool:
    """Whether the policy names endpoints."""
    return bool(policy.rules.live.egress.allowed or policy.rules.live.egress.blocked)


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for each endpoint."""
    rules = question.rules.live.egress
    found = known(question.facts.live_egress)
    probes = {probe.address: probe for probe in found.probes} if found else {}
    for addresses, expected in ((rules.allowed, _ALLOWED), (rules.blocked, _BLOCKED)):
        for address in map(str, addresses):
            if found is None:
                yield not_running(address)
            elif not found.tool:
                message = "the node has nothing to connect with: bash or python3"
                yield Finding(address, Status.SKIP, message, expected)
            elif address not in probes:
                yield Finding(address, Status.ERROR, "it was not asked when the facts were collected", expected)
            else:
                yield (_judge_allowed if expected == _ALLOWED else _judge_blocked)(probes[address])


def _judge_allowed(probe: Probe) -> Finding:
    if probe.outcome == "ok":
        return Finding(probe.address, Status.PASS, "it answers", _ALLOWED, "answers")
    message, hint = f"it cannot be reached: {probe.message}", "look at DNS, routes and the firewall's allow-list"
    return Finding(probe.address, Status.FAIL, message, _ALLOWED, probe.message, hint)


def _judge_blocked(probe: Probe) -> Finding:
    if probe.outcome == "ok":
        message, hint = "it answers, though egress to it has to be blocked", "restrict egress to mirrors and registries"
        return Finding(probe.address, Status.FAIL, message, _BLOCKED, "answers", hint)
    if probe.outcome == "refused":
        message = "the connection was refused, by the server itself or by a firewall: that cannot be told"
        hint = "name a port on which the server listens; have the firewall drop, or reject without a TCP reset"
        return Finding(probe.address, Status.ERROR, message, _BLOCKED, probe.message, hint)
    if probe.outcome == "unresolved":
        message = f"could not tell: {probe.message}, so nothing was sent"
        hint = "name it by its IP address: it may still be there"
        return Finding(probe.address, Status.ERROR, message, _BLOCKED, probe.message, hint)
    return Finding(probe.address, Status.PASS, f"it does not answer: {probe.message}", _BLOCKED, probe.message)
