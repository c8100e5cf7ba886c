"""No unit that the policy wants disabled is started at boot.

Such a unit may be there: people and other programs may start it. It fails if it is enabled (or an alias of an enabled
unit), if the default target pulls it in, or if an enabled socket, timer or path of the same name would start it.

It also fails if a preset enables it and the image applies presets on its first boot: ``/etc/machine-id`` is missing or
says ``uninitialized``, and the kernel's command line does not say ``ro``. Where it does, systemd tries, cannot write
yet, and goes on without. Without any preset file systemd enables *everything* then. Mask the unit, add a preset file
that disables it, or leave ``/etc/machine-id`` empty: machine-id(5), "First Boot Semantics".

.. rubric:: Example

With this policy::

    services:
      disabled: [rsync.service]

an image passes where no ``.wants`` folder links to ``rsync.service``, and ``/etc/machine-id`` is empty.

An image fails where ``multi-user.target.wants`` does, where ``rsync.socket`` is enabled, or where ``/etc/machine-id``
says ``uninitialized``, the kernel is started with ``rw`` and no preset says ``disable rsync.service``.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.services import Services, Unit
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "services-disabled"
TITLE: Final = "Disabled services"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("services", "boot")

_EXPECTED: Final = "not started at boot"


def asked(policy: Policy) -> bool:
    """Whether the policy wants units disabled."""
    return bool(policy.rules.services.disabled)


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for every unit."""
    services, boot = known(question.facts.services), known(question.facts.boot)
    presets = services is not None and services.first_boot and boot.starts_writable
    for names in question.rules.services.disabled:
        for name in names:
            yield _check_unit(name, services, presets=presets)


def _check_unit(name: str, services: Services | None, *, presets: bool) -> Finding:
    unit = services.find(name) if services else None
    if unit is None or services is None:
        return Finding(name, Status.PASS, "there is no such unit", _EXPECTED, "not-found")
    if unit.state == "unreadable":
        return Finding(name, Status.ERROR, unit.reason, _EXPECTED, unit.state)
    fault, hint = _fault(unit, services, presets=presets)
    if fault:
        return Finding(name, Status.FAIL, fault, _EXPECTED, unit.state, hint, unit.path)
    return Finding(name, Status.PASS, f"it is {unit.state}", _EXPECTED, unit.state, path=unit.path)


def _fault(unit: Unit, services: Services, *, presets: bool) -> tuple[str, str]:
    """Return what starts ``unit`` and what to do about it; two empty strings if nothing does.

    ``presets``: whether the next boot applies them.
    """
    if unit.state in ("masked", "bad"):
        return "", ""
    if unit.state == "enabled":
        by = f", wanted by {', '.join(unit.wanted_by)}" if unit.wanted_by else ""
        return f"it is enabled{by}", f"systemctl disable {unit.name}"
    if unit.pulled:
        return f"{services.default_target} pulls it in", f"systemctl mask {unit.name}"
    if triggers := services.triggers(unit):
        names = " and ".join(trigger.name for trigger in triggers)
        return f"{names} would start it, and is enabled", f"systemctl disable {names}"
    if unit.state == "disabled" and unit.preset and presets:
        message = "a preset enables it, and the first boot applies presets, because of /etc/machine-id"
        return message, f"systemctl mask {unit.name}, or leave an empty /etc/machine-id"
    return "", ""
