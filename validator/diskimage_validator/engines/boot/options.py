"""What a user may choose about a boot."""

import re
from pathlib import Path
from typing import Final

from diskimage_validator.errors import UsageError
from diskimage_validator.frozen import dataclass

GIB: Final = 1 << 30
FIRMWARES: Final = ("auto", "bios", "uefi")
"""``auto`` is UEFI for a disk with an EFI system partition and nothing that a BIOS could start, BIOS for any other."""


@dataclass(frozen=True)
class Served:
    """A service of the host that the machine reaches as ``name:port``: nothing else is on its network."""

    name: str
    port: int
    host: str
    host_port: int


@dataclass(frozen=True)
class BootOptions:
    """The machine, and how long it may take. Sizes in bytes, times in seconds.

    ``disk_size`` is that of the flavor's disk: the image is given one that is larger than itself, as in a cloud.
    ``timeout`` is for everything from power-on to the end of the boot. ``serial_log`` gets what the machine says.
    ``user`` is who is to log in, empty for whoever can. ``served`` is the one thing that the machine can reach.
    ``firmware`` is one of FIRMWARES. Without ``closed`` the machine reaches what the host does: for who has put the
    host's side into a closed network.
    """

    timeout: float = 900.0
    memory: int = 2 * GIB
    processors: int = 2
    disk_size: int = 80 * GIB
    serial_log: Path | None = None
    user: str = ""
    served: Served | None = None
    firmware: str = FIRMWARES[0]
    closed: bool = True


def parse_served(text: str) -> Served:
    """Return what ``NAME:PORT=HOST:PORT`` means. Raises UsageError if it means nothing."""
    inside, _, outside = text.partition("=")
    name, _, port = inside.rpartition(":")
    host, _, host_port = outside.rpartition(":")
    if not (name and host and _is_port(port) and _is_port(host_port)) or not _is_name(name):
        raise UsageError(
            f"--registry-endpoint {text}: no NAME:PORT=HOST:PORT",
            "for instance registry.internal:5000=127.0.0.1:5000",
        )
    return Served(name, int(port), host.removeprefix("[").removesuffix("]"), int(host_port))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536


def _is_name(text: str) -> bool:
    """Whether ``text`` is a name of a host as registries are named: lower case, no address."""
    return re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", text) is not None
