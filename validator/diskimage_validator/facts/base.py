"""A fact that could not be read is a fact too: it carries the reason to the checks that need it."""

from typing import TypeVar

from diskimage_validator.errors import ValidatorError
from diskimage_validator.frozen import dataclass

Fact = TypeVar("Fact")


@dataclass(frozen=True)
class Unreadable:
    """Stands in for a fact. ``reason`` is a sentence, ``hint`` what to do, ``kind`` the class of the error."""

    reason: str
    hint: str
    kind: str


class FactError(ValidatorError):
    """A fact cannot be read from the target: neither "there" nor "not there"."""


class FactUnavailableError(ValidatorError):
    """A check needs a fact that could not be read. The runner turns it into an ERROR result."""


def known(fact: Fact | Unreadable) -> Fact:
    """Return ``fact``, or raise FactUnavailableError with the reason why it could not be read."""
    if isinstance(fact, Unreadable):
        raise FactUnavailableError(fact.reason, fact.hint)
    return fact
