"""Every unit that the policy wants at boot is started by systemd on its own.

An entry names a unit with its type, or alternatives joined by ``|``, any of which will do: Debian's ``ssh.service`` is
``sshd.service`` elsewhere. States are those of ``systemctl is-enabled``, found without starting anything. A unit passes
that is ``enabled``, and one that is ``static`` but that the default target pulls in. An alias counts as the unit it
leads to.

A unit does not pass that is enabled below ``/run`` only, because ``/run`` is empty after a boot; that is wanted only by
targets which the node does not boot into; or that nothing but a preset would enable on first boot, because systemd
applies presets before it makes a read-only root writable, and goes on without them if it cannot.

What generators make while the node boots (units from SysV scripts) is not in an image at rest and is not judged.

.. rubric:: Example

With this policy::

    services:
      enabled:
        - ssh.service | sshd.service
        - systemd-networkd.service | NetworkManager.service

an image passes in which ``/etc/systemd/system/multi-user.target.wants/`` has links to ``ssh.service`` and
``systemd-networkd.service``.

An image fails in which the package was installed but never enabled, in which ``ssh.service`` is a link to
``/dev/null``, or in which it is wanted by ``graphical.target`` while ``default.target`` leads to ``multi-user.target``.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.services import Services, Unit
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "services-enabled"
TITLE: Final = "Enabled services"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("services",)

_NEVER: Final = {
    "masked": "masked: nothing can start it",
    "masked-runtime": "masked below /run",
    "enabled-runtime": "enabled below /run only, which is empty after a boot",
    "linked": "linked, but not enabled",
    "linked-runtime": "linked below /run only, which is empty after a boot",
    "static": "static: it cannot be enabled, and nothing that the default target starts pulls it in",
    "indirect": "not enabled itself, only another name or unit of its [Install] section is",
    "disabled": "installed, but not enabled",
}


def asked(policy: Policy) -> bool:
    """Whether the policy wants units enabled."""
    return bool(policy.rules.services.enabled)


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for every entry."""
    services = known(question.facts.services)
    for names in question.rules.services.enabled:
        yield _check_entry(names, services)


def _check_entry(names: tuple[str, ...], services: Services | None) -> Finding:
    subject = " | ".join(names)
    nearly: list[tuple[Unit, str]] = []
    for name in names:
        unit = services.find(name) if services else None
        if unit is None or services is None:
            continue
        shortfall = _shortfall(unit, services)
        if not shortfall:
            return Finding(subject, Status.PASS, f"{unit.name} is {_how(unit)}", "enabled", unit.state, path=unit.path)
        nearly.append((unit, shortfall))
    if not nearly:
        message = f"there is no unit of {'this name' if len(names) == 1 else 'these names'}"
        hint = "install the package that brings it"
        return Finding(subject, Status.FAIL, message, "enabled", "not-found", hint)
    unit, _ = nearly[0]
    status = Status.ERROR if all(one.state == "unreadable" for one, _ in nearly) else Status.FAIL
    message = "; ".join(f"{one.name} is {why}" for one, why in nearly)
    return Finding(subject, status, message, "enabled", unit.state, f"systemctl enable {unit.name}", unit.path)


def _how(unit: Unit) -> str:
    if unit.state == "static":
        return "pulled in by the default target"
    return f"enabled, wanted by {', '.join(unit.wanted_by)}" if unit.wanted_by else "enabled"


def _shortfall(unit: Unit, services: Services) -> str:
    """Return why ``unit`` does not start at boot; empty if it does."""
    if unit.state == "static" and unit.pulled:
        return ""
    if unit.state in ("bad", "unreadable"):
        return f"{unit.state}: {unit.reason}"
    if unit.state == "disabled" and unit.preset and services.first_boot:
        return "enabled by a preset only, which systemd may or may not come to apply on first boot"
    if unit.state != "enabled":
        return _NEVER.get(unit.state, unit.state)
    if _wanted_elsewhere(unit, services):
        wanting = ", ".join(unit.wanted_by)
        return f"wanted by {wanting} only, but the node boots into {services.default_target or 'no target'}"
    return ""


def _wanted_elsewhere(unit: Unit, services: Services) -> bool:
    """Whether only targets want ``unit`` that one boots into (AllowIsolate=) and this node does not."""
    wanting = [services.find(name) for name in unit.wanted_by]
    return bool(wanting) and all(one is not None and one.isolated and not one.pulled for one in wanting)
