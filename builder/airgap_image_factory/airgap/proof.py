"""Run a command in the air gap and say, with evidence, whether it stayed there."""

import json
import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from airgap_image_factory.airgap.forwarder import Forwarder, Traffic
from airgap_image_factory.airgap.namespace import Namespace, Packets
from airgap_image_factory.airgap.resolver import Resolver
from airgap_image_factory.airgap.service import Service
from diskimage_validator.errors import UsageError

SCHEMA_VERSION: Final = 1
PROXIES: Final = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")


@dataclass(frozen=True)
class Evidence:
    """What was seen while the command ran. ``started`` is UTC, ISO 8601; ``duration`` is in seconds.

    ``questions`` are all names that were asked for, with how often; ``other_names`` those that are no service;
    ``traffic`` is by service.
    """

    command: tuple[str, ...]
    started: str
    duration: float
    status: int
    services: tuple[Service, ...]
    traffic: dict[str, Traffic]
    questions: dict[str, int]
    other_names: tuple[str, ...]
    packets: Packets

    @property
    def closed(self) -> bool:
        """Whether nothing but the services was asked for or sent to, under rules that nobody changed."""
        return not self.other_names and self.packets.elsewhere == 0 and self.packets.rules_unchanged

    @property
    def proven(self) -> bool:
        """Whether the command succeeded, and did so in a closed air gap."""
        return self.status == 0 and self.closed

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON types. The targets of services are left out: they are the host's business."""
        return {
            "schema": SCHEMA_VERSION,
            "proven": self.proven,
            "command": list(self.command),
            "exit_status": self.status,
            "started": self.started,
            "duration_seconds": round(self.duration, 1),
            "services": {name: asdict(traffic) for name, traffic in self.traffic.items()},
            "dns": {"questions": self.questions, "other_names": list(self.other_names)},
            "packets": asdict(self.packets),
        }

    def as_json(self) -> str:
        """Return ``as_dict`` as indented JSON text with a final line break."""
        return json.dumps(self.as_dict(), indent=2) + "\n"


def prove(services: Sequence[Service], command: Sequence[str]) -> Evidence:
    """Run ``command`` where only ``services`` can be reached, to its end, and return the evidence.

    It inherits standard streams, folder and environment, without proxy variables: a proxy would be the way out. Raises
    UsageError for a command that is not there and BuildError if the air gap cannot be made. Nothing of it is left.
    """
    if not services:
        raise UsageError("no service is allowed", "name at least a package mirror with --allow")
    environment = {name: value for name, value in os.environ.items() if name.lower() not in PROXIES}
    started, begin = datetime.now(UTC), time.monotonic()
    with ExitStack() as stack:
        namespace = stack.enter_context(closing(Namespace(services)))
        resolver = stack.enter_context(closing(Resolver(namespace.resolver, namespace.addresses)))
        forwarder = stack.enter_context(closing(Forwarder(namespace.addresses, services)))
        done = subprocess.run(namespace.command(command), env=environment, check=False)
        return Evidence(
            command=tuple(command),
            started=started.isoformat(timespec="seconds"),
            duration=time.monotonic() - begin,
            status=done.returncode,
            services=tuple(services),
            traffic=forwarder.traffic,
            questions=resolver.questions(),
            other_names=tuple(resolver.other_names()),
            packets=namespace.packets(),
        )
