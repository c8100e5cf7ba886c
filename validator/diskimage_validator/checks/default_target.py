"""The node boots into the target that the policy names.

That is where ``default.target`` leads: a link in ``/etc/systemd/system``, or the distribution's own. ``systemd.unit=``
on the command line of the boot loader's default entry overrides it, and counts here.

.. rubric:: Example

With this policy::

    services:
      default_target: multi-user.target | graphical.target

an image passes whose ``default.target`` leads to ``graphical.target``, as Debian's does.

An image fails that was left in ``rescue.target``, whose ``default.target`` leads nowhere, or whose kernel is started
with ``systemd.unit=emergency.target``.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "default-target"
TITLE: Final = "Default target"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("services", "boot")

_OPTION: Final = "systemd.unit="


def asked(policy: Policy) -> bool:
    """Whether the policy names a target."""
    return policy.rules.services.default_target is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding."""
    wanted = question.rules.services.default_target or ()
    services, entry = known(question.facts.services), known(question.facts.boot).default
    actual, source = services.default_target if services else "", "default.target leads to"
    for option in entry.options if entry else ():
        if option.startswith(_OPTION):
            actual, source = option.removeprefix(_OPTION), "the kernel's command line says"
    expected = " or ".join(wanted)
    if actual in wanted:
        yield Finding("default.target", Status.PASS, f"{source} {actual}", expected, actual)
    else:
        message = f"{source} {actual}" if actual else "there is no default.target, or it leads nowhere"
        yield Finding("default.target", Status.FAIL, message, expected, actual, f"systemctl set-default {wanted[0]}")
