"""Policy x facts to Report; and the way there from a target."""

import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from diskimage_validator.booting import inspect_booted
from diskimage_validator.both import read_both
from diskimage_validator.checks import CHECKS
from diskimage_validator.engines.base import Engine
from diskimage_validator.engines.boot.options import BootOptions
from diskimage_validator.engines.open import BOOT, BOTH, read_target
from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.errors import DeclinedError
from diskimage_validator.facts import NOT_COLLECTED, Facts, Unreadable, collect
from diskimage_validator.facts.live.asking import Asked
from diskimage_validator.facts.scene import EVERY_PACKAGE
from diskimage_validator.judging import run_checks as run_checks  # noqa: PLC0414 - a part of this module's API
from diskimage_validator.model import Report
from diskimage_validator.policy import load_policy
from diskimage_validator.policy_model import Policy

if TYPE_CHECKING:
    from diskimage_validator.engines.sharing import SharedAppliance

Progress = Callable[[str], None]


def validate(
    target: str,
    policy: Policy | str,
    *,
    engine: str = "auto",
    image_format: str | None = None,
    ssh: SshOptions | None = None,
    boot: BootOptions | None = None,
    progress: Progress | None = None,
) -> Report:
    """Return the report on ``target``, a disk image, a folder or a node, under ``policy``.

    ``policy`` is a Policy, the name of a shipped one, or the path of a file. ``engine``, ``image_format`` and ``ssh``
    are those of ``open_target``, or ``engine`` is ``boot``, with ``boot`` for the machine. ``progress`` is told what is
    being done. Raises a ValidatorError if there can be no report: a wrong call or policy, or a target that cannot be
    opened. Trouble after that is in the report as ERROR results.
    """
    return examine(target, policy, engine=engine, image_format=image_format, ssh=ssh, boot=boot, progress=progress)[1]


def examine(
    target: str,
    policy: Policy | str,
    *,
    engine: str = "auto",
    image_format: str | None = None,
    ssh: SshOptions | None = None,
    boot: BootOptions | None = None,
    also: Collection[str] = (),
    processes: int = 1,
    progress: Progress | None = None,
) -> tuple[Facts, Report]:
    """Return what ``validate`` returns, and the facts behind it. ``also`` names fields of Facts to be read besides."""
    if isinstance(policy, str):
        policy = load_policy(policy)
    now, started = datetime.now(UTC), time.monotonic()
    facts = inspect(
        target,
        policy=policy,
        engine=engine,
        image_format=image_format,
        ssh=ssh,
        boot=boot,
        only=also,
        processes=processes,
        progress=progress,
    )
    return facts, run_checks(policy, facts, now=now, started=started)


def inspect(
    target: str,
    *,
    policy: Policy | None = None,
    engine: str = "auto",
    image_format: str | None = None,
    ssh: SshOptions | None = None,
    boot: BootOptions | None = None,
    only: Collection[str] | None = None,
    sharing: "SharedAppliance | None" = None,
    processes: int = 1,
    progress: Progress | None = None,
) -> Facts:
    """Return the facts of ``target``, the path of a disk image. Parameters and errors are those of ``validate``.

    ``sharing`` lends the guestfs engine an appliance that several targets share, unless the engine is ``boot``.
    ``processes`` are how many may read at the same time, where the engine can: see ``facts.collect``.
    Without a ``policy`` the fields of Facts that ``only`` names are read, or the usual ones. With one it is what its
    checks need, besides those that ``only`` names, and the commands that the policy asks for are looked up. ``engine``
    may be ``both`` or ``boot``, too: see ``both.read_both`` and ``booting.inspect_booted``.
    """
    commands: Collection[str] = ()
    files: Collection[str] = ()
    asked = Asked()
    intact: Collection[str] = EVERY_PACKAGE
    wanted = only
    if policy is not None:
        commands, files = policy.rules.commands.names, policy.rules.files.paths
        live = policy.rules.live
        asked = Asked(tuple(live.tls), (*live.egress.allowed, *live.egress.blocked), live.registry)
        if policy.rules.packages.intact is not None:
            intact = policy.rules.packages.intact.packages
        full = policy.for_engine(engine)
        wanted = {name for check in CHECKS.values() if check.asked(full) for name in check.needs}.union(only or ())
    look = partial(
        collect, commands=commands, files=files, asked=asked, intact=intact, processes=processes, progress=progress
    )
    if engine == BOOT:
        return inspect_booted(target, boot, look, image_format=image_format, only=wanted, progress=progress)
    if engine == BOTH:

        def read_with(name: str) -> Facts:
            return inspect(
                target,
                policy=policy,
                engine=name,
                image_format=image_format,
                ssh=ssh,
                only=only,
                sharing=sharing,
                progress=progress,
            )

        return read_both(read_with)

    def read(opened: Engine) -> Facts:
        return _certain(look(opened, only=wanted))

    return read_target(
        target, read, engine=engine, image_format=image_format, ssh=ssh, sharing=sharing, progress=progress
    )


def _certain(facts: Facts) -> Facts:
    """Return ``facts``, unless they are the direct engine's and it found no packages: then another one has to look."""
    packages = facts.packages
    if facts.engine == "direct" and isinstance(packages, Unreadable) and packages.kind != NOT_COLLECTED.kind:
        raise DeclinedError(f"the packages cannot be read: {packages.reason}", packages.hint)
    return facts
