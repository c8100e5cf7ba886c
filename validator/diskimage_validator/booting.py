"""From an image to the node that it becomes: who can log in is read from the image at rest, then it boots."""

from collections.abc import Callable
from pathlib import Path

from diskimage_validator.engines.boot.engine import BootEngine
from diskimage_validator.engines.boot.options import BootOptions
from diskimage_validator.engines.open import open_target
from diskimage_validator.errors import TargetError
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.login import read_login
from diskimage_validator.image_file import examine


def open_booted(
    target: str,
    options: BootOptions,
    *,
    image_format: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> BootEngine:
    """Return an engine on the node that the image at the path ``target`` becomes; use it as a context manager.

    Raises what ``open_target`` and BootEngine raise, and TargetError if nobody can log in.
    """
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
    return BootEngine(image, login, options, progress=progress)
