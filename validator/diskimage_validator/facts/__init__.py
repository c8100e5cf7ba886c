"""Facts: what is in a target, as plain frozen data. Only this package calls engines.

They are collected once per run, dumped as JSON and replayed from it: a verdict can be repeated without the image.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import UsageError
from diskimage_validator.facts.accounts import Accounts, read_accounts
from diskimage_validator.facts.agreement import Agreement
from diskimage_validator.facts.apt_indices import AptIndices, read_apt_indices
from diskimage_validator.facts.architecture import Architecture, read_architecture
from diskimage_validator.facts.base import Unreadable, known
from diskimage_validator.facts.beside import Beside
from diskimage_validator.facts.boot import Boot, read_boot
from diskimage_validator.facts.ca_collect import read_ca_stores
from diskimage_validator.facts.ca_settings import CaSettings
from diskimage_validator.facts.ca_sources.collect import read_ca_settings
from diskimage_validator.facts.ca_stores import CaStores
from diskimage_validator.facts.cloud_init import CloudInit, read_cloud_init
from diskimage_validator.facts.commands import Commands, read_commands
from diskimage_validator.facts.containers import Containers, read_containers
from diskimage_validator.facts.disk import DiskFacts, read_disk, read_kernels
from diskimage_validator.facts.endpoints import Endpoints, read_endpoints
from diskimage_validator.facts.file_modes import FileModes, read_file_modes
from diskimage_validator.facts.files import Files, read_files
from diskimage_validator.facts.growth import Growth, read_growth
from diskimage_validator.facts.identity import Identity, read_identity
from diskimage_validator.facts.leftovers import Leftovers, read_leftovers
from diskimage_validator.facts.libraries import Libraries, read_libraries
from diskimage_validator.facts.live.asking import Asked
from diskimage_validator.facts.live.clock import Clock, read_clock
from diskimage_validator.facts.live.engines import Running, read_live_engines
from diskimage_validator.facts.live.kernel import Kernel, read_kernel
from diskimage_validator.facts.live.probes import Probes, probe_tcp, probe_tls
from diskimage_validator.facts.live.registry import RegistryProof, read_live_registry
from diskimage_validator.facts.live.space import LiveSpace, read_live_space
from diskimage_validator.facts.live.units import Units, read_units
from diskimage_validator.facts.os_release import OsRelease, read_os_release
from diskimage_validator.facts.package_files import PackageFiles, read_package_files
from diskimage_validator.facts.packages import Packages, read_packages
from diskimage_validator.facts.provenance import Provenance, read_provenance
from diskimage_validator.facts.python_packages import PythonPackages, read_python_packages
from diskimage_validator.facts.resolv_conf import ResolvConf, read_resolv_conf
from diskimage_validator.facts.scene import EVERY_PACKAGE, Progress, Reader, Scene
from diskimage_validator.facts.secrets import Secrets, read_secrets
from diskimage_validator.facts.services import Services, read_services
from diskimage_validator.facts.ssh import Ssh, read_ssh
from diskimage_validator.facts.sudo import Sudo, read_sudo
from diskimage_validator.facts.trust_store import TrustStore, read_trust_store
from diskimage_validator.facts.usage import Usage, read_usage
from diskimage_validator.frozen import dataclass
from diskimage_validator.model import TargetInfo
from diskimage_validator.printable import clean_path
from diskimage_validator.tooling import COMMANDS

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["FACTS", "Facts", "Unreadable", "collect", "dump", "known", "replay"]

FACTS_VERSION: Final = 2


@dataclass(frozen=True)
class Facts:
    """Everything that was read from one target. ``collected`` is UTC; ``disk`` is None for a target without one.

    A field that nobody asked for is Unreadable of the kind ``NotCollected``. ``agreement`` is None unless two engines
    read the target; ``package_files``, unless they were asked for: that reads every installed file.
    """

    version: int
    target: TargetInfo
    engine: str
    notes: tuple[str, ...]
    collected: datetime
    os: OsRelease | Unreadable
    architecture: Architecture | Unreadable
    packages: Packages | Unreadable
    apt_indices: AptIndices | Unreadable
    commands: Commands | Unreadable
    libraries: Libraries | Unreadable
    python: PythonPackages | Unreadable
    trust: TrustStore | Unreadable
    ca_stores: CaStores | Unreadable
    ca_settings: CaSettings | Unreadable
    disk: DiskFacts | Unreadable | None
    kernels: tuple[str, ...] | Unreadable
    growth: Growth | Unreadable
    containers: Containers | Unreadable
    endpoints: Endpoints | Unreadable
    identity: Identity | Unreadable
    leftovers: Leftovers | Unreadable
    cloud_init: CloudInit | Unreadable
    usage: Usage | Unreadable
    resolv_conf: ResolvConf | Unreadable
    file_modes: FileModes | Unreadable
    secrets: Secrets | Unreadable
    files: Files | Unreadable
    provenance: Provenance | Unreadable
    services: Services | Unreadable | None
    boot: Boot | Unreadable
    accounts: Accounts | Unreadable
    sudo: Sudo | Unreadable | None
    ssh: Ssh | Unreadable | None
    agreement: Agreement | None = None
    live_space: LiveSpace | Unreadable | None = None
    live_engines: tuple[Running, ...] | Unreadable | None = None
    live_tls: Probes | Unreadable | None = None
    live_egress: Probes | Unreadable | None = None
    live_clock: Clock | Unreadable | None = None
    live_kernel: Kernel | Unreadable | None = None
    live_units: Units | Unreadable | None = None
    live_registry: RegistryProof | Unreadable | None = None
    package_files: PackageFiles | Unreadable | None = None


FACTS: Final[dict[str, Reader]] = {
    "os": Reader("os-release", lambda scene: read_os_release(scene.engine)),
    "packages": Reader("packages", lambda scene: read_packages(scene.engine, scene.family), beside=True),
    "apt_indices": Reader(
        "apt's indices", lambda scene: read_apt_indices(scene.engine, scene.fact("packages")), beside=True
    ),
    "architecture": Reader(
        "the architecture", lambda scene: read_architecture(scene.engine, scene.fact("packages")), beside=True
    ),
    "commands": Reader("commands", lambda scene: read_commands(scene.engine, COMMANDS | scene.commands), beside=True),
    "libraries": Reader("libraries", lambda scene: read_libraries(scene.engine, scene.fact("commands")), beside=True),
    "python": Reader("Python distributions", read_python_packages, whole=True),
    "trust": Reader("the trust store", lambda scene: read_trust_store(scene.engine, scene.family)),
    "ca_stores": Reader("the stores of CAs", read_ca_stores, whole=True),
    "ca_settings": Reader("settings about CAs", read_ca_settings, beside=True),
    "disk": Reader("the disk", lambda scene: read_disk(scene.engine), beside=True),
    "kernels": Reader("kernels", lambda scene: read_kernels(scene.engine), beside=True),
    "growth": Reader("what grows the root file system", lambda scene: read_growth(scene.engine), beside=True),
    "containers": Reader("the configuration of containers", lambda scene: read_containers(scene.engine), beside=True),
    "identity": Reader("what identifies a machine", lambda scene: read_identity(scene.engine), beside=True),
    "leftovers": Reader("leftovers", read_leftovers, whole=True),
    "cloud_init": Reader("cloud-init's data", lambda scene: read_cloud_init(scene.engine), beside=True),
    "usage": Reader("caches and logs", lambda scene: read_usage(scene.engine), beside=True),
    "resolv_conf": Reader("resolv.conf", lambda scene: read_resolv_conf(scene.engine), beside=True),
    "file_modes": Reader("file modes", read_file_modes, whole=True),
    "secrets": Reader("private keys and credentials", read_secrets, whole=True),
    "files": Reader("files that the policy names", read_files, whole=True),
    "provenance": Reader("the record of the build", lambda scene: read_provenance(scene.engine), beside=True),
    "services": Reader("services", lambda scene: read_services(scene.engine), beside=True),
    "boot": Reader("what boots", lambda scene: read_boot(scene.engine), beside=True),
    "accounts": Reader("accounts", lambda scene: read_accounts(scene.engine), beside=True),
    "sudo": Reader("the configuration of sudo", lambda scene: read_sudo(scene.engine), beside=True),
    "ssh": Reader(
        "the configuration of sshd", lambda scene: read_ssh(scene.engine, known(scene.fact("accounts"))), beside=True
    ),
    "endpoints": Reader("what the image would contact", read_endpoints, whole=True),
    "live_space": Reader("free space", lambda scene: read_live_space(scene.engine)),
    "live_engines": Reader("container engines", lambda scene: read_live_engines(scene.engine)),
    "live_tls": Reader("TLS handshakes", lambda scene: probe_tls(scene.engine, scene.asked.tls)),
    "live_egress": Reader("egress", lambda scene: probe_tcp(scene.engine, scene.asked.egress)),
    "live_clock": Reader("the clock", lambda scene: read_clock(scene.engine)),
    "live_kernel": Reader("the running kernel", lambda scene: read_kernel(scene.engine)),
    "live_units": Reader("failed units", lambda scene: read_units(scene.engine)),
    "live_registry": Reader("the work with a registry", lambda s: read_live_registry(s.engine, s.asked.registry)),
    "package_files": Reader("installed files", read_package_files, whole=True),
}
"""How every field of Facts that comes from the target is read. What builds upon what is read beside comes late."""
USUAL: Final = FACTS.keys() - {"package_files"}
"""What is read where nobody says what is wanted: all but what costs a hundred times as much as the rest."""

NOT_COLLECTED: Final = Unreadable(
    "it was not looked at when the facts were collected", "collect the facts with the same policy", "NotCollected"
)


def collect(
    engine: Engine,
    *,
    commands: Iterable[str] = (),
    files: Iterable[str] = (),
    asked: Asked | None = None,
    intact: Iterable[str] = EVERY_PACKAGE,
    only: Collection[str] | None = None,
    processes: int = 1,
    progress: Progress | None = None,
) -> Facts:
    """Read facts from ``engine``.

    ``commands`` are looked up on PATH besides the usual ones; ``files`` are paths and patterns that are looked for;
    ``asked`` is what a running system is to connect to; ``intact`` are patterns of the packages whose files are read,
    if those are wanted. ``only`` names the fields of Facts that are wanted, USUAL if None. Of several ``processes`` the
    second is a copy of this one, and reads some of them. Never raises for what is in the target: a fact that cannot be
    read becomes Unreadable, with the reason. Raises DeclinedError if the engine cannot vouch for them.
    """
    scene = Scene(engine, FACTS, commands=commands, files=files, asked=asked, intact=intact, progress=progress)
    names = USUAL if only is None else FACTS.keys() & set(only)
    with engine.remembering():
        wanted = [name for name in FACTS if name in names]
        apart = [name for name in wanted if FACTS[name].beside]
        shared = processes > 1 and any(FACTS[name].whole for name in wanted)  # else there is nothing to do meanwhile
        with Beside(scene, apart if shared else []) as beside:
            scene.await_beside(apart, beside.result)
            scene.prepare(wanted)
            for name in wanted:
                if name not in apart:
                    scene.fact(name)
            found: dict[str, Any] = {name: scene.fact(name) if name in names else _missing(name) for name in FACTS}
    engine.confirm()
    target = engine.identity()
    return Facts(
        version=FACTS_VERSION,
        target=replace(target, name=clean_path(target.name)),
        engine=engine.name,
        notes=tuple(clean_path(note) for note in engine.notes),
        collected=datetime.now(UTC),
        **found,
    )


def _missing(name: str) -> Unreadable | None:
    """Return what a fact is that nobody asked for."""
    return NOT_COLLECTED if name in USUAL else None


@cache
def _adapter() -> "TypeAdapter[Facts]":
    """Return what turns Facts into JSON and back. It is built when first used: a verdict alone needs none."""
    from pydantic import TypeAdapter

    return TypeAdapter(Facts)


def dump(facts: Facts) -> dict[str, Any]:
    """Return ``facts`` with plain JSON types; ``replay`` is the way back."""
    dumped: dict[str, Any] = _adapter().dump_python(facts, mode="json")
    return dumped


def replay(text: str | bytes) -> Facts:
    """Return the facts that the JSON ``text``, made from ``dump``, holds. Raises UsageError if it does not."""
    from pydantic import ValidationError

    try:
        facts = _adapter().validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"no facts of this tool: {where or 'document'}: {first['msg']}") from error
    if facts.version != FACTS_VERSION:
        raise UsageError(f"facts of version {facts.version}, known is {FACTS_VERSION}", "collect them again")
    return facts
