"""TLS endpoints verify from a running node, with the node's own trust store.

The node makes a real handshake with every endpoint of ``tls``, by ``openssl s_client``, Python or curl, whichever it
has. What it trusts by default has to verify the chain and the name; verification is never off. So this proves at once
what other checks deduce from files: the right CA in the right store, a clock that is right, an endpoint that is up.

.. rubric:: Example

With this policy::

    live:
      tls: ["registry.internal:443", "mirror.internal:443"]

a node passes that trusts the CA of both.

A node fails that lacks the CA of the mirror, or that cannot reach it.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.running import not_running
from diskimage_validator.facts import known
from diskimage_validator.facts.live.probes import Probe
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "live-tls"
TITLE: Final = "TLS from a running node"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("live_tls",)


_PROBLEMS: Final = {
    "untrusted": (
        "its certificate does not verify on the node",
        "add its CA to the image, or correct the certificate",
    ),
    "refused": ("the connection is refused", "start the endpoint"),
    "unresolved": ("its name does not resolve on the node", "add it to the DNS that the node asks"),
    "failed": ("there is no TLS connection", "look at the firewall, and whether TLS is spoken on that port"),
}


def asked(policy: Policy) -> bool:
    """Whether the policy names endpoints."""
    return bool(policy.rules.live.tls)


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for each endpoint."""
    found = known(question.facts.live_tls)
    probes = {probe.address: probe for probe in found.probes} if found else {}
    for address in map(str, question.rules.live.tls):
        if found is None:
            yield not_running(address)
        elif not found.tool:
            message = "the node has nothing to make a handshake with: openssl, python3 or curl"
            yield Finding(address, Status.SKIP, message, "verifies")
        elif address not in probes:
            yield Finding(address, Status.ERROR, "it was not asked when the facts were collected", "verifies")
        else:
            yield _judge(probes[address])


def _judge(probe: Probe) -> Finding:
    if probe.outcome == "ok":
        return Finding(probe.address, Status.PASS, f"chain and name verify ({probe.tool})", "verifies", "verifies")
    message, hint = _PROBLEMS[probe.outcome]
    actual = f"{probe.tool}: {probe.message}"
    return Finding(probe.address, Status.FAIL, f"{message}: {probe.message}", "verifies", actual, hint)
