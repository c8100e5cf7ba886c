"""A factory as it should be, ready to be asked about."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from diskimage_validator.endpoints import Address
from diskimage_validator.frozen import dataclass
from diskimage_validator.policy_model import Policy, TrustedCa
from diskimage_validator.readiness.rules.document import FactoryRules
from diskimage_validator.readiness.rules.endpoints import ServiceEndpoint


@dataclass(frozen=True)
class Factory:
    """A factory as it should be. ``folder``: where files are that it names; ``bundle``: the CAs that it trusts.

    ``authorities`` are the same CAs in DER form.
    """

    rules: FactoryRules
    folder: Path
    bundle: tuple[TrustedCa, ...] = ()
    authorities: tuple[bytes, ...] = ()
    policies: Mapping[str, Policy] = field(default_factory=dict)
    """Those of the node images, by what the document calls them."""

    @property
    def digest(self) -> str:
        """sha256 (hex) of the canonical JSON of what is asked for: the CAs by digest, secrets by reference."""
        rules = self.rules.model_dump(mode="json", exclude={"certificates": {"bundle"}})
        authorities = sorted(ca.sha256 for ca in self.bundle)
        policies = {name: policy.digest for name, policy in self.policies.items()}
        canonical = json.dumps([rules, authorities, policies], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def resolvers(self) -> tuple[Address, ...]:
        """The internal resolvers; none if the factory names none."""
        return tuple(self.rules.dns.resolvers) if self.rules.dns else ()

    @property
    def tls_endpoints(self) -> list[ServiceEndpoint]:
        """The endpoints whose certificates are asked about."""
        return [endpoint for endpoint in self.rules.endpoints if endpoint.tls] if self.rules.certificates else []

    def images(self) -> list[str]:
        """Return the paths of the node images, as this process reaches them."""
        return [str(self.folder / image) for image in self.rules.certificates.images] if self.rules.certificates else []
