"""Facts: what is in a target, as plain frozen data. Only this package calls engines.

They are collected once per run, dumped as JSON and replayed from it: a verdict can be repeated without the image.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import UsageError, ValidatorError
from diskimage_validator.facts.architecture import Architecture, read_architecture
from diskimage_validator.facts.base import Unreadable, known
from diskimage_validator.facts.commands import Commands, read_commands
from diskimage_validator.facts.disk import DiskFacts, read_disk, read_kernels
from diskimage_validator.facts.os_release import OsRelease, read_os_release
from diskimage_validator.facts.packages import Packages, read_packages
from diskimage_validator.facts.trust_store import TrustStore, read_trust_store
from diskimage_validator.model import TargetInfo
from diskimage_validator.printable import clean_path

__all__ = ["Facts", "Unreadable", "collect", "dump", "known", "replay"]

FACTS_VERSION: Final = 1
USUAL_COMMANDS: Final = ("buildah", "docker", "jq", "podman", "python3", "qemu-img", "skopeo", "sshd", "sudo")
"""Looked up whatever the policy asks, so that a dump serves other policies too."""

Fact = TypeVar("Fact")
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Facts:
    """Everything that was read from one target. ``collected`` is UTC; ``disk`` is None for a target without one."""

    version: int
    target: TargetInfo
    engine: str
    notes: tuple[str, ...]
    collected: datetime
    os: OsRelease | Unreadable
    architecture: Architecture | Unreadable
    packages: Packages | Unreadable
    commands: Commands | Unreadable
    trust: TrustStore | Unreadable
    disk: DiskFacts | Unreadable | None
    kernels: tuple[str, ...] | Unreadable


def collect(engine: Engine, *, commands: Iterable[str] = (), progress: Progress | None = None) -> Facts:
    """Read all facts from ``engine``. ``commands`` are looked up on PATH besides the usual ones.

    Never raises for what is in the target: a fact that cannot be read becomes Unreadable, with the reason.
    """

    def attempt(what: str, read: Callable[[], Fact]) -> Fact | Unreadable:
        if progress:
            progress(f"reading {what}")
        try:
            return read()
        except ValidatorError as error:
            return Unreadable(clean_path(error.message), clean_path(error.hint), type(error).__name__)
        except Exception as error:  # hostile content may break any parser; that must cost one fact, not the run
            reason = f"cannot read {what}: {type(error).__name__}: {error}"
            return Unreadable(clean_path(reason), "", type(error).__name__)

    os_release = attempt("os-release", lambda: read_os_release(engine))
    family = os_release.family if isinstance(os_release, OsRelease) else ""
    packages = attempt("packages", lambda: read_packages(engine, family))
    return Facts(
        version=FACTS_VERSION,
        target=replace(engine.target, name=clean_path(engine.target.name)),
        engine=engine.name,
        os=os_release,
        packages=packages,
        architecture=attempt("the architecture", lambda: read_architecture(engine, packages)),
        commands=attempt("commands", lambda: read_commands(engine, {*USUAL_COMMANDS, *commands})),
        trust=attempt("the trust store", lambda: read_trust_store(engine, family)),
        disk=attempt("the disk", lambda: read_disk(engine)),
        kernels=attempt("kernels", lambda: read_kernels(engine)),
        notes=tuple(clean_path(note) for note in engine.notes),
        collected=datetime.now(UTC),
    )


_ADAPTER: Final = TypeAdapter(Facts)


def dump(facts: Facts) -> dict[str, Any]:
    """Return ``facts`` with plain JSON types; ``replay`` is the way back."""
    dumped: dict[str, Any] = _ADAPTER.dump_python(facts, mode="json")
    return dumped


def replay(text: str | bytes) -> Facts:
    """Return the facts that the JSON ``text``, made from ``dump``, holds. Raises UsageError if it does not."""
    try:
        facts = _ADAPTER.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"no facts of this tool: {where or 'document'}: {first['msg']}") from error
    if facts.version != FACTS_VERSION:
        raise UsageError(f"facts of version {facts.version}, known is {FACTS_VERSION}", "collect them again")
    return facts
