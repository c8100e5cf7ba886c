"""What probes work with, besides the question."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from diskimage_validator.endpoints import Address
from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.frozen import dataclass
from diskimage_validator.policy_model import Policy
from diskimage_validator.readiness.traces import Traces


@dataclass(frozen=True)
class Means:
    """``timeout``: seconds for an answer; ``resolvers``: who is asked for addresses; ``folder``: of relative files.

    ``authorities``: the CAs that this host trusts for it, DER; ``ssh``: how to log in to nodes; ``policies``: what node
    images are read for, by name; ``traces``: who writes something somewhere says so there.
    """

    timeout: float
    resolvers: tuple[Address, ...]
    folder: Path
    authorities: tuple[bytes, ...]
    ssh: SshOptions
    policies: Mapping[str, Policy] = field(default_factory=dict)
    traces: Traces = field(default_factory=Traces)
