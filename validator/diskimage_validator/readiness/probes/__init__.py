"""What talks to the network: a function per kind of question. Each ends in the time that it is given.

Only these modules, and what they call, open a connection; like the engines of images they know nothing of checks.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from diskimage_validator.readiness.asking import Ask
from diskimage_validator.readiness.facts.databases import AskDatabase
from diskimage_validator.readiness.facts.dns import AskName, AskNode, AskReverse
from diskimage_validator.readiness.facts.egress import AskEgress
from diskimage_validator.readiness.facts.git import AskGerrit, AskGerritProject, AskRepository
from diskimage_validator.readiness.facts.images import AskImage, AskImageFile, AskNodeImage, AskReport
from diskimage_validator.readiness.facts.nodepool import AskImages, AskLabels, AskLauncher, AskNodes
from diskimage_validator.readiness.facts.object_stores import AskObjectStore, AskStoreRoom
from diskimage_validator.readiness.facts.pages import AskPage, AskWebPath
from diskimage_validator.readiness.facts.serving import AskServing
from diskimage_validator.readiness.facts.storage import AskContainerImage, AskPackages, AskSpace
from diskimage_validator.readiness.facts.tls import AskMutual, AskTls
from diskimage_validator.readiness.facts.zookeeper import AskDoors, AskMember
from diskimage_validator.readiness.facts.zuul import AskComponents, AskTenant, AskTenants
from diskimage_validator.readiness.probes.containers import ask_container_image
from diskimage_validator.readiness.probes.databases import ask_database
from diskimage_validator.readiness.probes.dns import ask_name, ask_reverse
from diskimage_validator.readiness.probes.egress import ask_egress
from diskimage_validator.readiness.probes.gerrit import ask_gerrit, ask_gerrit_project
from diskimage_validator.readiness.probes.git import ask_repository
from diskimage_validator.readiness.probes.images import ask_image, ask_image_file, ask_node_image, ask_report
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.readiness.probes.nodepool import ask_images, ask_labels, ask_launcher, ask_nodes
from diskimage_validator.readiness.probes.object_stores import ask_object_store, ask_store_room
from diskimage_validator.readiness.probes.packages import ask_packages
from diskimage_validator.readiness.probes.pages import ask_page
from diskimage_validator.readiness.probes.serving import ask_serving
from diskimage_validator.readiness.probes.targets import ask_node, ask_space
from diskimage_validator.readiness.probes.tls import ask_mutual, ask_tls
from diskimage_validator.readiness.probes.web_paths import ask_web_path
from diskimage_validator.readiness.probes.zookeeper import ask_doors, ask_member
from diskimage_validator.readiness.probes.zuul import ask_components, ask_tenant, ask_tenants

Prober = Callable[[Any, Means], Any]

PROBES: Final[Mapping[type[Ask[Any]], Prober]] = {
    AskName: ask_name,
    AskReverse: ask_reverse,
    AskNode: ask_node,
    AskTls: ask_tls,
    AskMutual: ask_mutual,
    AskImage: ask_image,
    AskNodeImage: ask_node_image,
    AskImageFile: ask_image_file,
    AskReport: ask_report,
    AskServing: ask_serving,
    AskContainerImage: ask_container_image,
    AskPackages: ask_packages,
    AskSpace: ask_space,
    AskObjectStore: ask_object_store,
    AskStoreRoom: ask_store_room,
    AskPage: ask_page,
    AskWebPath: ask_web_path,
    AskEgress: ask_egress,
    AskMember: ask_member,
    AskDoors: ask_doors,
    AskDatabase: ask_database,
    AskComponents: ask_components,
    AskTenants: ask_tenants,
    AskTenant: ask_tenant,
    AskLauncher: ask_launcher,
    AskLabels: ask_labels,
    AskImages: ask_images,
    AskNodes: ask_nodes,
    AskGerrit: ask_gerrit,
    AskGerritProject: ask_gerrit_project,
    AskRepository: ask_repository,
}
"""Who answers which question. What a probe could not do for a reason of this host it raises, as a ValidatorError."""
