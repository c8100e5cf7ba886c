"""A whole ``factory.yaml``. A section that is left out asks for nothing."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from diskimage_validator.policy_model import WaiverRule
from diskimage_validator.readiness.rules.certificates import CertificateRules
from diskimage_validator.readiness.rules.dns import DnsRules
from diskimage_validator.readiness.rules.egress import BootstrapRules, FirewallRules
from diskimage_validator.readiness.rules.endpoints import ServiceEndpoint
from diskimage_validator.readiness.rules.node_images import NodeImage
from diskimage_validator.readiness.rules.services import ServiceRules
from diskimage_validator.readiness.rules.storage import StorageRules
from diskimage_validator.rules.base import Model, NonEmpty, SeverityField, section


class LimitRules(Model):
    """What a run may take."""

    timeout: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Seconds for one probe's answer; a probe that asks twice may take twice as long."""
    parallel: Annotated[int, Field(ge=1, le=64)] = 16
    """Probes at a time."""


class FactoryRules(Model):
    """A ``factory.yaml``."""

    version: Literal[1]
    name: NonEmpty
    description: str = ""
    endpoints: list[ServiceEndpoint] = []
    dns: DnsRules | None = None
    certificates: CertificateRules | None = None
    storage: StorageRules | None = None
    node_images: list[NodeImage] = []
    firewall: FirewallRules | None = None
    services: ServiceRules = section(ServiceRules)
    bootstrap: BootstrapRules | None = None
    limits: LimitRules = section(LimitRules)
    severity: dict[str, SeverityField] = {}
    waivers: list[WaiverRule] = []

    @model_validator(mode="after")
    def _stores_are_known(self) -> Self:
        known = [store.name for store in self.services.object_stores]
        for name in known:
            if known.count(name) > 1:
                message = "services.object_stores has two entries with the name '{name}'"
                raise PydanticCustomError("twice", message, {"name": name})
        for mirror in self.storage.mirrors if self.storage else ():
            if mirror.object_store and mirror.object_store not in known:
                message = "storage.mirrors names '{name}', which is not in services.object_stores"
                raise PydanticCustomError("unknown", message, {"name": mirror.object_store})
        return self
