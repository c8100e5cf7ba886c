"""Rules about what a build must not leave behind."""

import ipaddress
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from diskimage_validator.rules.base import GlobField, Model, SizeField


def _network(value: Any) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except (TypeError, ValueError):
        raise PydanticCustomError("network", "an IP address or a network such as '10.0.0.0/24' is wanted") from None


NetworkField = Annotated[str, BeforeValidator(_network)]


class HygieneRules(Model):
    """What the image has to be free of. Every switch asks for that one thing; sizes are bytes."""

    ssh_host_keys: bool = False
    """No SSH host key: every node has to make its own."""
    machine_id: bool = False
    """No machine id: every node has to make its own."""
    identities: bool = False
    """Nothing else that only one machine may have: random seeds, iSCSI and NVMe names."""
    history: bool = False
    """No history of a shell or of a tool."""
    private_keys: bool = False
    """No private key in the usual places."""
    private_keys_allowed: list[GlobField] = []
    """Private keys that belong there, as patterns of paths."""
    credentials: bool = False
    """No password or token in the configuration."""
    credentials_allowed: list[GlobField] = []
    """Files with credentials that belong there, as patterns of paths."""
    cloud_init: bool = False
    """No instance data of cloud-init."""
    max_cache_size: SizeField | None = None
    """Bound of each cache of a package manager; with it, no file in /tmp and /var/tmp either."""
    max_log_size: SizeField | None = None
    """Bound of each file below /var/log."""
    resolv_conf: bool = False
    """No resolv.conf of the builder."""
    nameservers: list[NetworkField] = []
    """Name servers that the image's own resolv.conf may have: addresses or networks."""
    file_modes: bool = False
    """No setuid or setgid file that distributions do not have, nothing writable by everybody, no device node."""
    setuid_allowed: list[GlobField] = []
    """Further setuid and setgid files, as patterns of paths."""
    world_writable_allowed: list[GlobField] = []
    """Files and folders that everybody may write to, as patterns of paths."""
    leftovers: bool = False
    """No leftover of the build, of an installer or of a crash."""
    leftovers_allowed: list[GlobField] = []
    """Leftovers that belong there, as patterns of paths."""
