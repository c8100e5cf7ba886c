"""Every check of this release, whatever it judges: an image or node, or what surrounds them (readiness)."""

from collections.abc import Mapping
from typing import Protocol

from diskimage_validator.checks import CHECKS
from diskimage_validator.model import Severity


class Described(Protocol):
    """What all checks say of themselves; ``explanation`` is reStructuredText."""

    @property
    def id(self) -> str:
        """As reports show it."""

    @property
    def title(self) -> str:
        """For people."""

    @property
    def severity(self) -> Severity:
        """The default."""

    @property
    def explanation(self) -> str:
        """What it wants, with examples."""


def described(check: str) -> Described | None:
    """Return the check with that id, None if this release has none."""
    return CHECKS.get(check) or everything().get(check)


def everything() -> Mapping[str, Described]:
    """Return all checks by id. Those of readiness are imported now: the report on an image needs none of them."""
    from diskimage_validator.readiness.checks import READINESS_CHECKS

    return {**CHECKS, **READINESS_CHECKS}
