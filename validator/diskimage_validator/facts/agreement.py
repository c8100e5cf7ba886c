"""Whether two engines read the same from one target."""

from diskimage_validator.frozen import dataclass


@dataclass(frozen=True)
class Disagreement:
    """One value that two engines tell differently.

    ``path`` says where it is in the facts, e.g. ``packages.all[jq].version``. ``values`` are what each engine says, as
    JSON and cut off where they are long; empty where an engine does not have the value at all.
    """

    path: str
    values: tuple[str, str]


@dataclass(frozen=True)
class Agreement:
    """What comes of reading a target with both ``engines``, the first of which the facts are from.

    ``compared`` is the number of values that either has, ``differing`` of how many the two tell differently;
    ``differences`` are these, or the first of them. ``declined`` is why the second engine would not read the target,
    and empty if it did.
    """

    engines: tuple[str, str]
    compared: int = 0
    differing: int = 0
    differences: tuple[Disagreement, ...] = ()
    declined: str = ""
