"""CAs that were added or that the policy names do not expire soon.

``certificates.min_days_left`` is the least number of days from now on for which they have to be valid. An image lives
longer than its build: a node that starts in spring has to get through the summer. One that is no longer valid is told
by ca-trusted and ca-anchors, unless it is a CA of a single registry (``certs.d``, ``buildkitd.toml``), which nothing
else looks at.

.. rubric:: Example

With ``certificates: {min_days_left: 90}`` an image passes whose internal CA is valid for ten more years.

An image fails whose CA expires in a month.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.authorities import local_authorities
from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "ca-expiry"
TITLE: Final = "CAs that expire soon"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("trust", "ca_stores")


def asked(policy: Policy) -> bool:
    """Whether the policy says how long CAs have to be valid still."""
    return policy.rules.certificates.min_days_left is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for every CA that is valid today."""
    days = question.rules.certificates.min_days_left or 0
    trust, stores = known(question.facts.trust), known(question.facts.ca_stores)
    authorities = local_authorities(trust, stores, question.policy)
    if not authorities:
        yield Finding("CAs", Status.SKIP, "no CA was added, and none that the policy names is there")
    for authority in authorities:
        end = authority.certificate.not_after
        if end < question.now and authority.reported:
            continue
        left = (end - question.now).days
        subject, expected, actual = str(authority.certificate), f"valid for {days} more days", f"until {end:%Y-%m-%d}"
        if end < question.now:
            message = f"it expired on {end:%Y-%m-%d}"
        elif left < days:
            message = f"it expires on {end:%Y-%m-%d}, in {left} days"
        else:
            yield Finding(subject, Status.PASS, f"valid {actual}", expected, actual, path=authority.path)
            continue
        hint = "bake the CA's successor beside it"
        yield Finding(subject, Status.FAIL, message, expected, actual, hint, authority.path)
