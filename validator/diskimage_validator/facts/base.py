"""A fact that could not be read is a fact too: it carries the reason to the checks that need it."""

from typing import Final, TypeVar

from diskimage_validator.errors import PermissionDeniedError, ValidatorError
from diskimage_validator.frozen import dataclass

Fact = TypeVar("Fact")
DENIED: Final = PermissionDeniedError.__name__
"""Kind of a fact that the account may not read, or not all of it."""


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
    """Return ``fact``, or raise FactUnavailableError with the reason why it could not be read.

    PermissionDeniedError is raised for what the account may not read: the check is skipped, then.
    """
    if isinstance(fact, Unreadable):
        if fact.kind == DENIED:
            raise PermissionDeniedError(fact.reason, fact.hint)
        raise FactUnavailableError(fact.reason, fact.hint)
    return fact
