"""What a run would ask, without asking it: nothing that can open a connection is imported here."""

from typing import Any

from diskimage_validator.readiness.asking import Ask
from diskimage_validator.readiness.checks import READINESS_CHECKS
from diskimage_validator.readiness.factory import Factory


def planned(factory: Factory) -> list[Ask[Any]]:
    """Return every question that the checks have about ``factory``, each once, in the order of the checklist."""
    return list(dict.fromkeys(ask for check in READINESS_CHECKS.values() for ask in check.asks(factory)))


def plan_rows(factory: Factory) -> list[tuple[str, str, str]]:
    """Return (line of the checklist, whom it contacts, what it does there) of every question."""
    lines: dict[Ask[Any], str] = {}
    for check in READINESS_CHECKS.values():
        for ask in check.asks(factory):
            lines.setdefault(ask, check.line)
    return [(line, ask.target, ask.what) for ask, line in lines.items()]
