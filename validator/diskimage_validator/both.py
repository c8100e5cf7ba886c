"""Read one target with two engines that share no code below the facts, for a user who wants certainty."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from diskimage_validator.comparison.agreement import agreement
from diskimage_validator.errors import DeclinedError, ValidatorError
from diskimage_validator.facts import Facts
from diskimage_validator.facts.agreement import Agreement, Disagreement

ENGINES: Final = ("guestfs", "direct")
"""The reference, and the one that is held against it."""


def read_both(read: Callable[[str], Facts]) -> Facts:
    """Return the facts that the first of ENGINES reads, with their agreement with those of the second.

    ``read`` reads the target with the engine of that name. Raises what it raises for the first engine. That the second
    declines the target is told; that it fails where the first does not is a difference like any other.
    """
    try:
        other: Facts | ValidatorError = read(ENGINES[1])
    except ValidatorError as error:
        other = error
    facts = read(ENGINES[0])
    if isinstance(other, DeclinedError):
        found = Agreement(ENGINES, declined=other.message)
    elif isinstance(other, ValidatorError):
        found = Agreement(ENGINES, 1, 1, (Disagreement("target", ("can be read", other.message)),))
    else:
        found = agreement(facts, other)
    return replace(facts, notes=(*facts.notes, describe(found)), agreement=found)


def describe(found: Agreement) -> str:
    """Return what came of the comparison, as a note for a person."""
    first, second = found.engines
    if found.declined:
        return f"nothing was compared with what {first} read: {found.declined}"
    if found.differing:
        return f"{first} and {second} differ in {found.differing} of {found.compared} values"
    return f"{first} and {second} read the same {found.compared} values"
