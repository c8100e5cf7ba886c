"""What package managers noted of the files that packages brought: the form that is the same for dpkg and RPM."""

from collections.abc import Callable
from dataclasses import field
from typing import Final, NamedTuple

from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.reading import Problem
from diskimage_validator.frozen import dataclass

MAX_FILES: Final = 500_000
"""Files that packages brought. A full desktop has 300,000."""


class Brought(NamedTuple):
    """One file or link that a package brought.

    ``path`` is what the package calls it, ``place`` where it lies; paths are those of the engine. A file has an
    ``algorithm`` and its ``digest`` in hex, both empty if its content may change; a link has its text as ``link``.
    ``optional``: nobody minds if it is gone.
    """

    package: str
    path: str
    place: str
    algorithm: str = ""
    digest: str = ""
    link: str | None = None
    configuration: bool = False
    optional: bool = False


def _never(_file: Brought, _missing: bool) -> bool:
    return False


@dataclass
class Notes:
    """Everything that a manager noted.

    ``packages`` is the number of packages that were looked at, ``unlisted`` those of them that have files and no
    digests, ``problems`` the lists that cannot be read. ``excuse(file, missing)`` says of a file that differs whether
    the manager itself knows why; ``left_out`` is the number of files of which it says so beforehand.
    """

    files: list[Brought] = field(default_factory=list)
    packages: int = 0
    left_out: int = 0
    unlisted: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    excuse: Callable[[Brought, bool], bool] = _never

    def add(self, file: Brought) -> None:
        """Add a file. Raises FactError if there are too many."""
        if len(self.files) == MAX_FILES:
            raise FactError(f"the packages brought more than {MAX_FILES} files")
        self.files.append(file)
