"""Settings that point programs to other CAs than the system's, or switch verification off."""

from typing import Final

from diskimage_validator.facts.sources.found import Trouble
from diskimage_validator.frozen import dataclass

REPLACES: Final = "replaces"
ADDS: Final = "adds"
OFF: Final = "off"


@dataclass(frozen=True)
class CaSetting:
    """One setting in one place.

    ``kind``: whose it is: ``environment``, ``git``, ``curl``, ``wget``, ``pip``, ``npm``, ``conda``; ``name``: a
    variable or option; ``path`` and ``line``: where it is set.

    ``effect``: ``replaces``: the CAs that it names are trusted instead of the system's; ``adds``: besides others;
    ``off``: nothing is verified, ``consequence`` says what. ``value``: the path as written, empty for ``off``;
    ``targets``: what it leads to inside the image, keys of CaSettings.places; ``unknown``: why that cannot be told.
    """

    kind: str
    name: str
    path: str
    line: int
    effect: str
    value: str = ""
    targets: tuple[str, ...] = ()
    unknown: str = ""
    consequence: str = ""

    @property
    def subject(self) -> str:
        """The setting as people name it."""
        return self.name if self.kind == "environment" else f"{self.kind} {self.name}"


@dataclass(frozen=True)
class CaPlace:
    """A file or folder that a setting names.

    ``kind``: ``file``, ``directory`` or ``missing``; ``real``: its path after links; ``certificates``: the sha256 of
    what it holds, of a folder what OpenSSL finds there by hash links; ``unreadable``: why the list may not be complete.
    """

    path: str
    kind: str
    real: str
    certificates: tuple[str, ...] = ()
    unreadable: str = ""


@dataclass(frozen=True)
class CaSettings:
    """Everything that was found.

    ``places``: by path; ``files``: how many files were read; ``troubles``: those that could not be.
    """

    settings: tuple[CaSetting, ...]
    places: dict[str, CaPlace]
    troubles: tuple[Trouble, ...]
    files: int
