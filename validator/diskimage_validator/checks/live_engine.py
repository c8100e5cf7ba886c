"""A container engine works on a running node: it answers as root with its version and its storage.

That a package is installed says little: the daemon may not run, the storage driver may not fit the file system, the
kernel may lack a module. ``podman info`` and ``docker info`` find that out. One of those that ``container_engine``
names has to work; podman makes its storage when it is asked for the first time.

.. rubric:: Example

With this policy::

    live:
      container_engine: [podman, docker]

a node with podman passes if ``podman info`` does.

A node fails with nothing but docker, whose daemon is not running.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.running import not_running
from diskimage_validator.facts import known
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "live-engine"
TITLE: Final = "Container engine of a running node"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("live_engines",)


def asked(policy: Policy) -> bool:
    """Whether the policy names engines."""
    return policy.rules.live.container_engine is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for all engines that the policy names."""
    wanted = question.rules.live.container_engine or []
    subject = " | ".join(wanted)
    found = known(question.facts.live_engines)
    if found is None:
        yield not_running(subject)
        return
    candidates = [one for one in found if one.name in wanted]
    works = [one for one in candidates if not one.problem]
    if works:
        told = ", ".join(f"{one.name} {one.version} ({one.driver} in {one.storage})" for one in works)
        yield Finding(subject, Status.PASS, f"{told} works", "works", told)
        return
    told = "; ".join(f"{one.name}: {one.problem}" for one in candidates) or "not there"
    yield Finding(
        subject, Status.FAIL, f"no container engine works: {told}", "works", told, "start it, and see its log"
    )
