"""The checks, in the order in which reports show them. A check that is not in this table does not run."""

from types import ModuleType
from typing import Final

from diskimage_validator.checks import (
    air_gap_hosts,
    air_gap_sources,
    architecture,
    ca_anchors,
    ca_trusted,
    commands_required,
    container_config,
    container_engine,
    container_policy,
    container_registries,
    container_zuul_roles,
    disk,
    operating_system,
    packages_required,
    verification,
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
            air_gap_hosts,
            air_gap_sources,
            verification,
            container_config,
            container_engine,
            container_registries,
            container_policy,
            container_zuul_roles,
            disk,
        ),
    )
}
"""All checks by id."""
