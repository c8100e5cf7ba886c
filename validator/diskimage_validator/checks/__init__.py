"""The checks, in the order in which reports show them. A check that is not in this table does not run."""

from types import ModuleType
from typing import Final

from diskimage_validator.checks import (
    air_gap_hosts,
    air_gap_sources,
    architecture,
    ca_anchors,
    ca_consumers,
    ca_distrusted,
    ca_duplicates,
    ca_endpoint,
    ca_expiry,
    ca_only,
    ca_private_keys,
    ca_quality,
    ca_settings,
    ca_trusted,
    commands_forbidden,
    commands_required,
    container_config,
    container_engine,
    container_policy,
    container_registries,
    container_zuul_roles,
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
    packages_forbidden,
    packages_foreign,
    packages_origin,
    packages_required,
    packages_state,
    python_packages,
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
            packages_forbidden,
            packages_state,
            packages_foreign,
            packages_origin,
            python_packages,
            commands_required,
            commands_forbidden,
            ca_trusted,
            ca_anchors,
            ca_endpoint,
            ca_settings,
            air_gap_hosts,
            air_gap_sources,
            verification,
            container_config,
            container_engine,
            container_registries,
            container_policy,
            container_zuul_roles,
            ca_consumers,
            ca_quality,
            ca_expiry,
            ca_private_keys,
            ca_duplicates,
            ca_distrusted,
            ca_only,
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
