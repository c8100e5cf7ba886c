"""A container engine starts at boot, the right users may talk to it, and it keeps images where there is room for them.

``engines`` lists engines of which at least one has to start: Docker with ``docker.service`` or its socket, podman
with ``podman.socket`` (its API; the command needs none). A unit that is masked or only installed does not start.
``docker_users`` have to be members of the group ``docker``, which owns Docker's socket; that is asked only where
Docker is installed, and membership is as good as root. ``storage_drivers`` and ``storage_roots`` list what the
engines that are installed may use; where no file names a driver the engine chooses overlay wherever the kernel has
it, and that passes.

.. rubric:: Example

With this policy::

    containers:
      engines: [docker, podman]
      storage_drivers: [overlay, overlay2]
      storage_roots: [/var/lib/docker, /var/lib/containers/storage]

an image passes where ``sockets.target.wants/podman.socket`` exists and ``storage.conf`` has ``driver = "overlay"``.

It fails where no unit of an engine is enabled, and where ``storage.conf`` says ``driver = "vfs"``, which copies every
layer.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.containers import Containers, Storage
from diskimage_validator.facts.services import Services
from diskimage_validator.facts.units import installed, starts
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "container-engine"
TITLE: Final = "Container engine"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("containers", "services")

UNITS: Final = {"docker": ("docker.service", "docker.socket"), "podman": ("podman.socket", "podman.service")}


def asked(policy: Policy) -> bool:
    """Whether the policy asks for an engine, its users or its storage."""
    rules = policy.rules.containers
    return bool(rules.engines or rules.docker_users or rules.storage_drivers or rules.storage_roots)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for the engines, one for each user, and two for the storage of each engine that is there."""
    facts = known(question.facts.containers)
    rules = question.rules.containers
    services = known(question.facts.services)
    there = [name for name, units in UNITS.items() if any(installed(services, unit) for unit in units)]
    if rules.engines:
        yield _engines(services, list(rules.engines))
    if rules.docker_users:
        yield from _users(facts, rules.docker_users, is_there="docker" in there)
    for storage in facts.storage:
        if storage.engine in there:
            yield from _storage(facts, storage, rules.storage_drivers, rules.storage_roots)


def _engines(services: Services | None, wanted: list[str]) -> Finding:
    expected = " or ".join(wanted)
    there = [unit for name in wanted for unit in UNITS[name] if installed(services, unit)]
    starting = [unit for unit in there if starts(services, unit)]
    if starting:
        return Finding("engine", Status.PASS, f"starts at boot: {', '.join(starting)}", expected, ", ".join(starting))
    if there:
        message = f"no engine starts at boot; installed, but not enabled: {', '.join(there)}"
        return Finding("engine", Status.FAIL, message, expected, "not enabled", f"systemctl enable {there[0]}")
    message = "no engine is installed whose units could start at boot"
    hint = "set DIB_CONTAINER_ENGINE for the element container-tooling"
    return Finding("engine", Status.FAIL, message, expected, "none", hint)


def _users(facts: Containers, users: list[str], *, is_there: bool) -> Iterator[Finding]:
    members = facts.docker_group
    for user in users:
        subject = f"user {user}"
        if not is_there:
            yield Finding(subject, Status.SKIP, "Docker is not installed")
        elif members is not None and user in members:
            message = "may use Docker's socket: it is a member of the group docker"
            yield Finding(subject, Status.PASS, message, "member of docker", "member of docker", path="/etc/group")
        else:
            message = "there is no group docker" if members is None else "is no member of the group docker"
            hint = f"usermod --append --groups docker {user}"
            yield Finding(subject, Status.FAIL, message, "member of docker", "no member", hint, "/etc/group")


def _storage(
    facts: Containers, storage: Storage, drivers: list[str] | None, roots: list[str] | None
) -> Iterator[Finding]:
    files = ("/etc/docker/",) if storage.engine == "docker" else ("/etc/containers/storage", "/usr/share/containers/st")
    for fault in facts.faults_of(*files)[:1]:
        if drivers or roots:
            message = f"{fault.path} cannot be read, so where {storage.engine} keeps images cannot be told"
            status = Status.ERROR if fault.unreadable else Status.FAIL
            subject = f"{storage.engine} storage"
            yield Finding(subject, status, message, path=fault.path, line=fault.line)
        return
    if drivers:
        ok = not storage.driver or storage.driver in drivers
        actual = storage.driver or "chosen by the engine"
        yield _choice(storage, "storage driver", actual, drivers, ok=ok)
    if roots:
        yield _choice(storage, "storage", storage.root, roots, ok=storage.root.rstrip("/") in roots)


def _choice(storage: Storage, what: str, actual: str, allowed: list[str], *, ok: bool) -> Finding:
    message = f"{what}: {actual}" + ("" if ok else ", which is not allowed")
    status = Status.PASS if ok else Status.FAIL
    subject = f"{storage.engine} {what}"
    return Finding(subject, status, message, " or ".join(allowed), actual, "", storage.path, storage.line)
