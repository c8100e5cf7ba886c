"""The checks, in the order in which reports show them. A check that is not in this table does not run."""

from types import ModuleType
from typing import Final

from diskimage_validator.checks import (
    architecture,
    ca_anchors,
    ca_trusted,
    commands_forbidden,
    commands_required,
    disk,
    disk_format,
    disk_growth,
    files,
    hygiene_caches,
    hygiene_cloud_init,
    hygiene_credentials,
    hygiene_file_modes,
    hygiene_history,
    hygiene_identities,
    hygiene_leftovers,
    hygiene_logs,
    hygiene_machine_id,
    hygiene_private_keys,
    hygiene_resolv_conf,
    hygiene_ssh_host_keys,
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
            disk,
            disk_format,
            disk_growth,
            hygiene_ssh_host_keys,
            hygiene_machine_id,
            hygiene_identities,
            hygiene_private_keys,
            hygiene_credentials,
            hygiene_history,
            hygiene_cloud_init,
            hygiene_leftovers,
            hygiene_resolv_conf,
            hygiene_caches,
            hygiene_logs,
            hygiene_file_modes,
            files,
        ),
    )
}
"""All checks by id."""
