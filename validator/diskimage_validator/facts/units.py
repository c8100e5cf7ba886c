"""Whether a unit comes up when the node boots, for those who need no more than that of the fact ``services``."""

from typing import Final

from diskimage_validator.facts.services import Services, Unit

_GONE: Final = ("bad", "masked", "masked-runtime", "unreadable")


def installed(services: Services | None, name: str) -> Unit | None:
    """Return the unit of that name; None if there is none, it is masked, or systemd cannot read it."""
    unit = services.find(name) if services else None
    return None if unit is None or unit.state in _GONE else unit


def starts(services: Services | None, name: str) -> bool:
    """Whether the unit is enabled, or the default target starts it."""
    unit = installed(services, name)
    return unit is not None and (unit.state == "enabled" or unit.pulled)


def may_start(services: Services | None, name: str) -> bool:
    """Whether the unit starts, or a preset may enable it on the first boot, which depends on how the node boots."""
    unit = installed(services, name)
    if services is None or unit is None:
        return False
    return starts(services, name) or (unit.state == "disabled" and unit.preset and services.first_boot)
