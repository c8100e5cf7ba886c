"""What probes work with, besides the question."""

from pathlib import Path

from diskimage_validator.endpoints import Address
from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.frozen import dataclass


@dataclass(frozen=True)
class Means:
    """``timeout``: seconds for an answer; ``resolvers``: who is asked for addresses; ``folder``: of relative files.

    ``authorities``: the CAs that this host trusts for it, DER; ``ssh``: how to log in to nodes.
    """

    timeout: float
    resolvers: tuple[Address, ...]
    folder: Path
    authorities: tuple[bytes, ...]
    ssh: SshOptions
