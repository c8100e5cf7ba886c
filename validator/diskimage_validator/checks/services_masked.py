"""Every unit that the policy wants masked cannot be started by anything.

A mask is a link to ``/dev/null``, or an empty file, in the strongest place that has the unit's name. One below ``/run``
is gone after a boot and does not count. An alias is judged by what it leads to. A unit that is not there at all needs
no mask.

.. rubric:: Example

With this policy::

    services:
      masked: [apt-daily.timer]

an image passes with ``/etc/systemd/system/apt-daily.timer`` linked to ``/dev/null``, and so does one without such a
timer.

An image fails where the timer is merely disabled: a package's update or another unit can start it.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.services import Services
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "services-masked"
TITLE: Final = "Masked services"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("services",)


def asked(policy: Policy) -> bool:
    """Whether the policy wants units masked."""
    return bool(policy.rules.services.masked)


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for every unit."""
    services = known(question.facts.services)
    for names in question.rules.services.masked:
        for name in names:
            yield _check_unit(name, services)


def _check_unit(name: str, services: Services | None) -> Finding:
    unit = services.find(name) if services else None
    if unit is None:
        return Finding(name, Status.PASS, "there is no such unit", "masked", "not-found")
    if unit.state == "unreadable":
        return Finding(name, Status.ERROR, unit.reason, "masked", unit.state)
    if unit.state == "masked":
        return Finding(name, Status.PASS, "nothing can start it", "masked", unit.state, path=unit.path)
    message = f"it is {unit.state}, so it can be started"
    if unit.state == "masked-runtime":
        message = "its mask lies below /run, which is empty after a boot"
    return Finding(name, Status.FAIL, message, "masked", unit.state, f"systemctl mask {name}", unit.path)
