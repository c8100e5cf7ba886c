"""The clock of a running node is right, and something keeps it so.

A clock that is wrong makes every certificate invalid. ``max_offset`` is how many seconds it may differ from the clock
of the host that validates; the time that the question took is allowed for. ``synchronized`` asks the kernel, by
``timedatectl``, or chrony whether the clock is kept in step.

.. rubric:: Example

With this policy::

    live:
      clock:
        max_offset: 2
        synchronized: true

a node passes whose chrony found its server.

A node fails that is an hour ahead, because its host keeps local time.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.running import not_running
from diskimage_validator.facts import known
from diskimage_validator.facts.live.clock import Clock
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "live-clock"
TITLE: Final = "Clock of a running node"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("live_clock",)


def asked(policy: Policy) -> bool:
    """Whether the policy says anything of the clock."""
    rules = policy.rules.live.clock
    return rules.max_offset is not None or rules.synchronized


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for the offset, and one for what keeps it small."""
    rules = question.rules.live.clock
    found = known(question.facts.live_clock)
    if found is None:
        yield not_running("clock")
        return
    if rules.max_offset is not None:
        yield _check_offset(found, rules.max_offset)
    if rules.synchronized:
        yield _check_synchronized(found)


def _check_offset(clock: Clock, allowed: float) -> Finding:
    expected, actual = f"at most {allowed:g} s off", f"{clock.offset:+.3f} s, give or take {clock.error:.3f} s"
    if abs(clock.offset) - clock.error > allowed:
        hint = "have chrony or systemd-timesyncd ask a server that the node reaches"
        return Finding("offset", Status.FAIL, f"the clock is {clock.offset:+.1f} s off", expected, actual, hint)
    if abs(clock.offset) + clock.error > allowed:
        message = f"the node took too long to answer to tell: {actual}"
        return Finding("offset", Status.ERROR, message, expected, actual)
    return Finding("offset", Status.PASS, f"the clock is right: {actual}", expected, actual)


def _check_synchronized(clock: Clock) -> Finding:
    expected = "synchronized"
    if clock.synchronized is None:
        message = "neither timedatectl nor chronyc tells whether the clock is synchronized"
        return Finding("synchronization", Status.ERROR, message, expected, "unknown", "install chrony")
    if clock.synchronized:
        return Finding("synchronization", Status.PASS, "the clock is synchronized", expected, expected)
    hint = "name a server that the node reaches in chrony.conf or timesyncd.conf"
    return Finding("synchronization", Status.FAIL, "the clock is not synchronized", expected, "not synchronized", hint)
