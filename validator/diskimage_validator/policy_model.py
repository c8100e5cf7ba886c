"""What a policy may say (``Rules``), and a policy that is ready for use (``Policy``)."""

import datetime
import hashlib
import json
from dataclasses import replace
from typing import Literal

from diskimage_validator.endpoints import Endpoint
from diskimage_validator.frozen import dataclass
from diskimage_validator.rules.access import AccessRules
from diskimage_validator.rules.air_gap import AirGapRules
from diskimage_validator.rules.base import DateField, Model, NonEmpty, SeverityField, section
from diskimage_validator.rules.certificates import CertificateRules
from diskimage_validator.rules.containers import ContainerRules
from diskimage_validator.rules.files import FileRules
from diskimage_validator.rules.hygiene import HygieneRules
from diskimage_validator.rules.live import LiveRules, LiveUnitRules
from diskimage_validator.rules.packages import CommandRules, PackageRules
from diskimage_validator.rules.provenance import ProvenanceRules
from diskimage_validator.rules.services import BootRules, ServiceRules
from diskimage_validator.rules.system import DiskRules, OsRules

RULES_VERSION = 1


class WaiverRule(Model):
    """A failure that is accepted for a while: of ``check``, for the ``subject``s that the pattern covers.

    ``subject`` is a pattern of fnmatch(3), all subjects if left out. On the day ``expires`` the waiver stops working.
    """

    check: NonEmpty
    subject: NonEmpty = "*"
    reason: NonEmpty
    expires: DateField

    def is_active(self, today: datetime.date) -> bool:
        """Whether the waiver still works on that day."""
        return today < self.expires


class Rules(Model):
    """A policy file. A section that is left out asks for nothing, but for ``certificates.anchors``."""

    version: Literal[1]
    name: NonEmpty
    description: str = ""
    extends: NonEmpty | None = None
    os: OsRules = section(OsRules)
    architecture: NonEmpty | None = None
    packages: PackageRules = section(PackageRules)
    commands: CommandRules = section(CommandRules)
    certificates: CertificateRules = section(CertificateRules)
    air_gap: AirGapRules = section(AirGapRules)
    containers: ContainerRules = section(ContainerRules)
    services: ServiceRules = section(ServiceRules)
    boot: BootRules = section(BootRules)
    access: AccessRules = section(AccessRules)
    hygiene: HygieneRules = section(HygieneRules)
    files: FileRules = section(FileRules)
    disk: DiskRules = section(DiskRules)
    provenance: ProvenanceRules = section(ProvenanceRules)
    live: LiveRules = section(LiveRules)
    severity: dict[str, SeverityField] = {}
    waivers: list[WaiverRule] = []


@dataclass(frozen=True)
class TrustedCa:
    """A CA that the target has to trust, or must not trust.

    ``sha256``: of the certificate's DER form, lower-case hex; ``subject``: RFC 4514, empty if only the digest is known;
    ``source``: where it was asked for.
    """

    sha256: str
    subject: str
    source: str

    def __str__(self) -> str:
        return self.subject or f"sha256 {self.sha256}"


@dataclass(frozen=True)
class Policy:
    """A policy that is ready for use: its rules and the CAs and endpoints that they and the command line name."""

    rules: Rules
    trusted: tuple[TrustedCa, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    distrusted: tuple[TrustedCa, ...] = ()

    @property
    def name(self) -> str:
        """The policy's name."""
        return self.rules.name

    def for_engine(self, engine: str) -> "Policy":
        """Return the policy that facts of the engine of that name are held against.

        Who boots an image wants to know that it boots: then no unit may fail, also where the policy, which may be made
        for images at rest, does not speak of that. What it allows to fail stays allowed.
        """
        if engine != "boot" or self.rules.live.failed_units is not None:
            return self
        live = self.rules.live.model_copy(update={"failed_units": LiveUnitRules()})
        return replace(self, rules=self.rules.model_copy(update={"live": live}))

    @property
    def digest(self) -> str:
        """sha256 (hex) of the canonical JSON of what is asked for: certificates by digest, not by file name."""
        resolved = {"trusted", "distrusted", "endpoints"}
        rules = self.rules.model_dump(mode="json", exclude={"extends": True, "certificates": resolved})
        rules["certificates"]["trusted"] = sorted({ca.sha256 for ca in self.trusted})
        rules["certificates"]["endpoints"] = sorted(endpoint.identity for endpoint in self.endpoints)
        if self.rules.certificates.distrusted is not None:
            rules["certificates"]["distrusted"] = sorted({ca.sha256 for ca in self.distrusted})
        canonical = json.dumps(rules, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
