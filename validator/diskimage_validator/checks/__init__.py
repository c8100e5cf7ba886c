"""The checks, in the order in which reports show them. A check that is not in this table does not run."""

from types import ModuleType
from typing import Final

from diskimage_validator.checks import (
    architecture,
    ca_anchors,
    ca_consumers,
    ca_distrusted,
    ca_duplicates,
    ca_expiry,
    ca_only,
    ca_private_keys,
    ca_quality,
    ca_trusted,
    commands_forbidden,
    commands_required,
    disk,
    operating_system,
    packages_required,
    python_packages,
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
            python_packages,
            commands_required,
            commands_forbidden,
            ca_trusted,
            ca_anchors,
            ca_consumers,
            ca_quality,
            ca_expiry,
            ca_private_keys,
            ca_duplicates,
            ca_distrusted,
            ca_only,
            disk,
        ),
    )
}
"""All checks by id."""
