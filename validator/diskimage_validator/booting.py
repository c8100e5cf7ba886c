"""From an image to the facts of the node that it becomes.

The image is looked at twice. At rest: who can log in, and what a first boot hides or adds (host keys, a machine id,
logs, the key of this run). Booted: everything else, as the node has it.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from diskimage_validator.engines.boot.options import BootOptions
from diskimage_validator.engines.open import open_target
from diskimage_validator.errors import TargetError, UsageError
from diskimage_validator.facts import FACTS, Facts, collect
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.login import read_login
from diskimage_validator.image_file import examine

BOOT: Final = "boot"
"""The engine's name."""
AT_REST: Final = frozenset(
    (
        "cloud_init",
        "disk",
        "file_modes",
        "identity",
        "leftovers",
        "provenance",
        "resolv_conf",
        "secrets",
        "ssh",
        "usage",
    )
)
"""Fields of Facts that are about the image: on a node they tell of its first boot, and of this visit."""


def inspect_booted(
    target: str,
    options: BootOptions | None = None,
    *,
    image_format: str | None = None,
    commands: Iterable[str] = (),
    files: Iterable[str] = (),
    registry: str = "",
    only: Collection[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Facts:
    """Return the facts of the image at the path ``target`` and of the node that it becomes.

    ``commands``, ``files``, ``registry`` and ``only`` are those of ``collect``. Raises what ``open_target`` raises;
    UsageError for what is no image; TargetError if nobody can log in, or if the image's file changed; EngineError if it
    does not boot.
    """
    if "://" in target or target.startswith("dir:"):
        raise UsageError(f"{target}: the engine {BOOT} boots disk images", "leave --engine out")
    options = options or BootOptions()
    wanted = frozenset(FACTS if only is None else only)
    image = examine(Path(target), image_format=image_format, progress=progress)
    with open_target(target, image_format=image_format, progress=progress) as rest:
        if progress:
            progress("looking for somebody who can log in")
        try:
            login = read_login(rest, options.user)
        except FactError as error:
            raise TargetError(
                f"{target}: nobody can log in to this image with a key of our own: {error.message}",
                "it takes an sshd, and a user with passwordless sudo or a root who may log in with a key",
            ) from error
        resting = collect(rest, commands=commands, files=files, only=wanted & AT_REST, progress=progress)
    # The SSH library takes a third of a second to load, which no image has to wait for.
    from diskimage_validator.engines.boot.engine import BootEngine

    with BootEngine(image, login, options, progress=progress) as node:
        facts = collect(
            node, commands=commands, files=files, registry=registry, only=wanted - AT_REST, progress=progress
        )
    known = {name: getattr(resting, name) for name in wanted & AT_REST}
    return replace(facts, notes=(*resting.notes, *node.notes), **known)
