"""Every certificate that an endpoint presents is valid for some days still.

The intermediate CAs count as well: they are renewed even more rarely, and nobody remembers how.

.. rubric:: Example

With this factory::

    certificates:
      bundle: internal-ca.pem
      min_days_left: 30

the line passes if what the endpoints present is valid for 30 days or more.

It fails if a certificate ends in a week, or has ended.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.checks.base import Question, tell
from diskimage_validator.readiness.checks.servers import certificate_rules, load, subject_of, tls_servers, without_chain
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.tls import AskTls

ID: Final = "tls-expiry"
TITLE: Final = "Days that certificates are valid"
SEVERITY: Final = Severity.WARNING
LINE: Final = "Certificates"


def asks(factory: Factory) -> Iterator[AskTls]:
    """Yield a question per endpoint and IP address."""
    return tls_servers(factory)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every endpoint and IP address, about the certificate that ends first."""
    for ask in tls_servers(question.factory):
        evidence, subject = question.seen[ask], subject_of(ask)
        days = certificate_rules(question.factory).min_days_left
        expected = f"valid for {days} days or more"
        if absent := without_chain(evidence, subject, expected):
            yield absent
        elif not isinstance(evidence.fact, Unreadable):
            first = min((load(der) for der in evidence.fact.chain), key=lambda found: found.not_valid_after_utc)
            left = first.not_valid_after_utc - question.now
            name = first.subject.rfc4514_string() or "the certificate"
            actual = f"until {first.not_valid_after_utc:%Y-%m-%d}"
            if left < timedelta(0):
                message, status = f"{name} expired on {first.not_valid_after_utc:%Y-%m-%d}", Status.FAIL
            else:
                message = f"{name} is valid for {left.days} days, {actual}"
                status = Status.PASS if left >= timedelta(days) else Status.FAIL
            yield tell(
                evidence, subject, status, message, expected, actual, "renew it" if status is Status.FAIL else ""
            )
