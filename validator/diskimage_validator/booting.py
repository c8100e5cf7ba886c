"""From an image to the facts of the node that it becomes.

The image is looked at twice. At rest: who can log in, and what a first boot hides or adds (host keys, a machine id,
logs, the key of this run). Booted: everything else, as the node has it.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.engines.boot.firmware import has_esp
from diskimage_validator.engines.boot.options import BootOptions
from diskimage_validator.engines.open import BOOT, read_target
from diskimage_validator.errors import DeclinedError, TargetError, UsageError
from diskimage_validator.facts import USUAL, Facts
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.login import NoLoginError, read_login
from diskimage_validator.login import Login

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
    options: BootOptions | None,
    look: Callable[..., Facts],
    *,
    image_format: str | None = None,
    only: Collection[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Facts:
    """Return the facts of the image at the path ``target`` and of the node that it becomes.

    ``look`` is ``collect`` with all but ``engine`` and ``only`` filled in; ``only`` are the facts that are wanted, the
    usual ones if None. Raises what ``read_target`` raises; UsageError for what is no image; TargetError if nobody can
    log in, or if the image's file changed; EngineError if it does not boot.
    """
    if "://" in target or target.startswith("dir:"):
        raise UsageError(f"{target}: the engine {BOOT} boots disk images", "leave --engine out")
    options = options or BootOptions()
    wanted = frozenset(USUAL if only is None else only)

    def read(rest: Engine) -> tuple[Login, bool, Facts]:
        if progress:
            progress("looking for somebody who can log in")
        return _find_login(rest, options.user), has_esp(rest.disk()), look(rest, only=wanted & AT_REST)

    login, with_esp, resting = read_target(target, read, image_format=image_format, progress=progress)
    # The libraries of images and SSH take a third of a second to load, which no other target has to wait for.
    from diskimage_validator.engines.boot.engine import BootEngine
    from diskimage_validator.image_file import examine

    image = examine(Path(target), image_format=image_format, progress=progress)
    if image.sha256 != resting.target.sha256:
        raise TargetError(f"{target}: the file changed while the image was examined")
    with BootEngine(image, login, options, has_esp=with_esp, progress=progress) as node:
        facts = look(node, only=wanted - AT_REST)
    known = {name: getattr(resting, name) for name in wanted & AT_REST}
    return replace(facts, notes=(*resting.notes, *node.notes), **known)


def _find_login(rest: Engine, user: str) -> Login:
    try:
        return read_login(rest, user)
    except NoLoginError as error:
        raise TargetError(
            f"nobody can log in to this image with a key of our own: {error.message}",
            "it takes an sshd, and a user with passwordless sudo or a root who may log in with a key",
        ) from error
    except FactError as error:
        if rest.name == "direct":
            raise DeclinedError(error.message, error.hint) from error
        raise
