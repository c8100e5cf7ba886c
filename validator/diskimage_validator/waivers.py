"""Failures that a policy accepts for a while: each with a reason and a day on which it ends."""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from diskimage_validator.model import Result, Status, Waiver
from diskimage_validator.policy_model import WaiverRule


def apply_waivers(
    results: Iterable[Result], rules: Sequence[WaiverRule], today: datetime.date
) -> tuple[tuple[Result, ...], tuple[Waiver, ...]]:
    """Return the results with ``waived`` set where an active rule covers a failure, and what became of every rule.

    Only FAIL can be waived: "could not tell" stays an ERROR. Of several rules the first that is active counts.
    """
    results = list(results)
    active = [rule for rule in rules if rule.is_active(today)]
    marked = tuple(replace(result, waived=_reason(result, active)) for result in results)
    return marked, tuple(_outcome(rule, results, today) for rule in rules)


def _covers(rule: WaiverRule, result: Result) -> bool:
    return (
        result.status is Status.FAIL
        and result.check == rule.check
        and fnmatchcase(result.finding.subject, rule.subject)
    )


def _reason(result: Result, active: Iterable[WaiverRule]) -> str:
    return next((rule.reason for rule in active if _covers(rule, result)), "")


def _outcome(rule: WaiverRule, results: Iterable[Result], today: datetime.date) -> Waiver:
    covered = sum(_covers(rule, result) for result in results)
    state = "expired" if not rule.is_active(today) else "active" if covered else "unused"
    return Waiver(rule.check, rule.subject, rule.reason, rule.expires, state, covered)
