"""A package as an index lists it."""

from diskimage_validator.frozen import dataclass
from diskimage_validator.readiness.facts.storage import Stored


@dataclass(frozen=True)
class Package:
    """``provides``: what it goes by besides its name; ``depends``: for every dependency, the names that satisfy it.

    An empty name among these says that it may be left out.
    """

    name: str
    architecture: str
    version: str
    provides: tuple[str, ...]
    depends: tuple[tuple[str, ...], ...]
    file: Stored
