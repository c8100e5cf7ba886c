"""The checks of readiness, in the order of the checklist. A check that is not in this table does not run."""

from types import ModuleType
from typing import Final

from diskimage_validator.readiness.checks import (
    bootstrap_closed,
    database_plain,
    database_replication,
    database_servers,
    dns_agreement,
    dns_names,
    dns_node,
    dns_public,
    dns_reverse,
    firewall_closed,
    firewall_open,
    gerrit_branches,
    gerrit_server,
    git_branches,
    image_policy,
    image_report,
    image_served,
    log_server,
    nodepool_images,
    nodepool_labels,
    nodepool_nodes,
    nodepool_ready,
    object_store,
    storage_images,
    storage_packages,
    storage_room,
    tls_baked,
    tls_chain,
    tls_expiry,
    tls_image,
    tls_mutual,
    tls_strength,
    web_path,
    zookeeper_doors,
    zookeeper_members,
    zookeeper_quorum,
    zuul_components,
    zuul_config,
    zuul_labels,
    zuul_tenants,
    zuul_versions,
)
from diskimage_validator.readiness.checks.base import Check


def _check(module: ModuleType) -> Check:
    explanation = (module.__doc__ or "").strip()
    return Check(module.ID, module.TITLE, module.SEVERITY, module.LINE, module.asks, module.check, explanation)


READINESS_CHECKS: Final[dict[str, Check]] = {
    check.id: check
    for check in map(
        _check,
        (
            dns_names,
            dns_agreement,
            dns_reverse,
            dns_public,
            dns_node,
            tls_chain,
            tls_expiry,
            tls_strength,
            tls_mutual,
            tls_baked,
            tls_image,
            storage_images,
            storage_packages,
            storage_room,
            image_policy,
            image_report,
            image_served,
            firewall_open,
            firewall_closed,
            zookeeper_members,
            zookeeper_quorum,
            zookeeper_doors,
            database_servers,
            database_replication,
            database_plain,
            object_store,
            web_path,
            log_server,
            zuul_components,
            zuul_versions,
            zuul_tenants,
            zuul_config,
            zuul_labels,
            nodepool_ready,
            nodepool_labels,
            nodepool_images,
            nodepool_nodes,
            gerrit_server,
            gerrit_branches,
            git_branches,
            bootstrap_closed,
        ),
    )
}
"""All checks of readiness by id."""
