"""No unit failed while a running node booted.

``systemctl is-system-running`` has to say ``running``, or ``degraded`` with no failed units but those that ``allowed``
covers: patterns as in fnmatch(3). While the node is still booting nothing can be told yet.

With ``--engine boot`` every policy asks for this: for ``failed_units: {}``, unless it says itself what may fail.

.. rubric:: Example

With this policy::

    live:
      failed_units:
        allowed: [e2scrub_*.service]

a node passes on which every unit started.

A node fails whose ``cloud-final.service`` failed.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.running import not_running
from diskimage_validator.facts import known
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "live-units"
TITLE: Final = "Failed units of a running node"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("live_units",)

_EXPECTED: Final = "running, nothing failed"
_BOOTING: Final = ("initializing", "starting")


def asked(policy: Policy) -> bool:
    """Whether the policy speaks of failed units."""
    return policy.rules.live.failed_units is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for each failed unit, or one for the system."""
    rules = question.rules.live.failed_units
    allowed = rules.allowed if rules else []
    found = known(question.facts.live_units)
    if found is None:
        yield not_running("systemd")
        return
    failed = [name for name in found.failed if not any(fnmatchcase(name, pattern) for pattern in allowed)]
    for name in failed:
        hint = f"journalctl -u {name}, on the node"
        yield Finding(name, Status.FAIL, "the unit failed", _EXPECTED, "failed", hint)
    if failed:
        return
    if found.state in _BOOTING:
        message, hint = f"the node is still booting: {found.state}", "wait for systemctl is-system-running --wait"
        yield Finding("systemd", Status.ERROR, message, _EXPECTED, found.state, hint)
    elif found.state in ("running", "degraded"):
        tolerated = f", but for {', '.join(found.failed)}" if found.failed else ""
        yield Finding("systemd", Status.PASS, f"{found.state}: nothing failed{tolerated}", _EXPECTED, found.state)
    else:
        yield Finding("systemd", Status.FAIL, f"the node is in the state {found.state}", _EXPECTED, found.state)
