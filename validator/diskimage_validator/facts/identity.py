"""What every machine must have of its own, and what therefore must not be in an image that many machines start from.

Sources: machine-id(5); systemd's "Safely Building Images"; the operations of virt-sysprep(1); iscsid(8).
"""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.reading import Problem, names_in, read_one
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path

HOST_KEYS: Final = (("/etc/ssh", "ssh_host_*key*"), ("/etc/dropbear", "dropbear_*_host_key*"))
MACHINE_IDS: Final = ("/etc/machine-id", "/var/lib/dbus/machine-id")
SEEDS: Final = {
    "/var/lib/systemd/random-seed": "random seed",
    "/var/lib/urandom/random-seed": "random seed",
    "/boot/loader/random-seed": "random seed of the boot loader",
    "/boot/efi/loader/random-seed": "random seed of the boot loader",
    "/efi/loader/random-seed": "random seed of the boot loader",
    "/var/lib/systemd/credential.secret": "secret that encrypts the credentials of services",
    "/var/lib/NetworkManager/secret_key": "secret that NetworkManager derives addresses from",
    "/etc/nvme/hostnqn": "NVMe host name",
    "/etc/nvme/hostid": "NVMe host id",
    "/etc/hostid": "host id",
}
INITIATOR_NAME: Final = "/etc/iscsi/initiatorname.iscsi"
_INITIATOR: Final = re.compile(rb"^[ \t]*InitiatorName[ \t]*=[ \t]*\S", re.MULTILINE)
_MACHINE_ID: Final = re.compile(rb"[0-9a-fA-F]{32}\s*")


@dataclass(frozen=True)
class MachineId:
    """One of the MACHINE_IDS. ``state``: ``missing``, ``empty``, ``uninitialized``, ``set``, or ``odd``.

    ``link`` is the text of the link at ``path``, empty if it is none. The id itself is nobody's business.
    """

    path: str
    state: str
    link: str = ""


@dataclass(frozen=True)
class Seed:
    """A file with something that belongs to one machine. ``what`` names it."""

    path: str
    what: str


@dataclass(frozen=True)
class Identity:
    """What identifies a machine and is in the image. ``host_keys`` are paths, public keys included."""

    host_keys: tuple[str, ...]
    machine_ids: tuple[MachineId, ...]
    seeds: tuple[Seed, ...]
    problems: tuple[Problem, ...]


def read_identity(engine: Engine) -> Identity:
    """Return what identifies a machine. Raises what the engine raises for a folder that cannot be listed."""
    keys = [
        clean_path(f"{folder}/{name}")
        for folder, pattern in HOST_KEYS
        for name in names_in(engine, folder)
        if fnmatchcase(name, pattern)
    ]
    found = [_machine_id(engine, path) for path in MACHINE_IDS]
    seeds = list(_seeds(engine))
    return Identity(
        host_keys=tuple(keys),
        machine_ids=tuple(entry for entry in found if isinstance(entry, MachineId)),
        seeds=tuple(entry for entry in seeds if isinstance(entry, Seed)),
        problems=tuple(entry for entry in (*found, *seeds) if isinstance(entry, Problem)),
    )


def _machine_id(engine: Engine, path: str) -> MachineId | Problem:
    entry = engine.lstat(path)
    link = clean_path(engine.readlink(path)) if entry is not None and entry.is_link else ""
    data = read_one(engine, path, limit=4096)
    return data if isinstance(data, Problem) else MachineId(path, parse_machine_id(data), link)


def parse_machine_id(data: bytes | None) -> str:
    """Return the state (see MachineId) of a file with this content, None if there is no file."""
    if data is None:
        return "missing"
    text = data.strip()
    if not text or text == b"uninitialized":
        return text.decode() or "empty"
    return "set" if _MACHINE_ID.fullmatch(data) else "odd"


def _seeds(engine: Engine) -> Iterator[Seed | Problem]:
    for path, what in SEEDS.items():
        entry = engine.stat(path)
        if entry is not None and entry.is_file and entry.size:
            yield Seed(path, what)
    data = read_one(engine, INITIATOR_NAME)
    if isinstance(data, Problem):
        yield data
    elif data is not None and _INITIATOR.search(data):
        yield Seed(INITIATOR_NAME, "iSCSI initiator name")
