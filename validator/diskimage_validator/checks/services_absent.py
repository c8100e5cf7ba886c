"""Units that the policy does not want are not there at all, not even as an alias.

A mask is no absence: the unit's program may still be installed.

.. rubric:: Example

With this policy::

    services:
      absent: [telnet.socket, cups.service]

an image passes that has no unit file and no link of these names in any of the folders that systemd loads units from.

An image fails that has ``/usr/lib/systemd/system/cups.service``, enabled or not.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "services-absent"
TITLE: Final = "Absent services"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("services",)


def asked(policy: Policy) -> bool:
    """Whether the policy wants units absent."""
    return bool(policy.rules.services.absent)


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for every unit."""
    services = known(question.facts.services)
    for names in question.rules.services.absent:
        for name in names:
            unit = services.units.get(name) if services else None
            if unit is None:
                yield Finding(name, Status.PASS, "there is no such unit", "absent", "not-found")
            else:
                hint = "remove the package that brings it"
                yield Finding(name, Status.FAIL, f"it is there, {unit.state}", "absent", unit.state, hint, unit.path)
