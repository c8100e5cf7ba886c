"""The checks, in the order in which reports show them. A check that is not in this table does not run."""

from types import ModuleType
from typing import Final

from diskimage_validator.checks import (
    accounts,
    architecture,
    authorized_keys,
    boot,
    ca_anchors,
    ca_trusted,
    commands_required,
    default_target,
    disk,
    operating_system,
    packages_required,
    services_absent,
    services_disabled,
    services_enabled,
    services_masked,
    sshd,
    sudo,
)
from diskimage_validator.checks.base import Check


def _check(module: ModuleType) -> Check:
    explanation = (module.__doc__ or "").strip()
    return Check(module.ID, module.TITLE, module.SEVERITY, module.NEEDS, module.asked, module.check, explanation)


CHECKS: Final[dict[str, Check]] = {
    check.id: check
    for check in map(
        _check,
        (
            operating_system,
            architecture,
            packages_required,
            commands_required,
            ca_trusted,
            ca_anchors,
            disk,
            boot,
            default_target,
            services_enabled,
            services_disabled,
            services_masked,
            services_absent,
            accounts,
            sudo,
            authorized_keys,
            sshd,
        ),
    )
}
"""All checks by id."""
