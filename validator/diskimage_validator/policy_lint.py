"""What is odd about a policy that can be used: rules without effect, waivers that are about to end."""

import datetime
from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks import CHECKS
from diskimage_validator.policy_model import Policy, WaiverRule

NOTICE: Final = datetime.timedelta(days=30)
"""How long before its end a waiver is worth a word."""


def lint(policy: Policy, today: datetime.date) -> Iterator[str]:
    """Yield a sentence for everything that is odd about ``policy`` on that day."""
    unasked = {check.id for check in CHECKS.values() if not check.asked(policy)}
    for name in policy.rules.severity:
        if name in unasked:
            yield f"severity of {name}: the policy does not ask for this check"
    for waiver in policy.rules.waivers:
        if waiver.check in unasked:
            yield f"waiver of {waiver.check}: the policy does not ask for this check"
        yield from _ending(waiver, today)


def _ending(waiver: WaiverRule, today: datetime.date) -> Iterator[str]:
    name = f"waiver of {waiver.check} for {waiver.subject}"
    if not waiver.is_active(today):
        yield f"{name}: expired on {waiver.expires}"
    elif waiver.expires - today <= NOTICE:
        yield f"{name}: stops working on {waiver.expires}"
