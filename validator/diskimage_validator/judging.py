"""Checks at work: policy x facts to Report. Whatever happens in one becomes results, and the others go on."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from diskimage_validator.checks import CHECKS
from diskimage_validator.checks.base import Check, Question
from diskimage_validator.errors import PermissionDeniedError, ValidatorError
from diskimage_validator.facts import Facts
from diskimage_validator.model import NOT_ASKED, Finding, Report, Result, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.release import VERSION
from diskimage_validator.waivers import apply_waivers


def judge(
    check: str, title: str, severity: Severity, *, asked: bool, run: Callable[[], Iterable[Finding]]
) -> list[Result]:
    """Return the results of the check with that id. What it found before it failed stays; that is an ERROR result.

    A check that would need more rights than the account has is skipped, with the reason.
    """
    if not asked:
        return [Result(check, severity, Finding(check, Status.SKIP, NOT_ASKED))]
    findings: list[Finding] = []
    try:
        findings.extend(run())
    except PermissionDeniedError as error:
        findings.append(Finding(title, Status.SKIP, error.message, hint=error.hint))
    except ValidatorError as error:
        findings.append(Finding(title, Status.ERROR, error.message, hint=error.hint))
    except Exception as error:  # a crash of one check must not hide what the others say
        message = f"the check crashed: {type(error).__name__}: {error}"
        findings.append(Finding(title, Status.ERROR, message, hint="this is a bug: please report it"))
    return [Result(check, severity, finding) for finding in findings]


def run_checks(policy: Policy, facts: Facts, *, now: datetime | None = None, started: float | None = None) -> Report:
    """Run all checks of ``policy`` over ``facts``, with what their engine adds to it (``Policy.for_engine``).

    The report has the digest of ``policy`` as it was given, which is what others know of it.

    ``now`` (default: the current time) is what the validity of certificates is judged at. ``started`` is the
    ``time.monotonic()`` that the report's duration counts from; the default is now.
    """
    now = now or datetime.now(UTC)
    begin = time.monotonic() if started is None else started
    question = Question(facts, policy.for_engine(facts.engine), now)
    found = [result for check in CHECKS.values() for result in _run_check(check, question)]
    results, waivers = apply_waivers(found, policy.rules.waivers, now.date())
    duration = time.monotonic() - begin
    return Report(
        target=facts.target,
        policy_name=policy.name,
        policy_digest=policy.digest,
        engine=facts.engine,
        tool_version=VERSION,
        started=now.isoformat(timespec="seconds"),
        duration=duration,
        results=results,
        notes=facts.notes,
        waivers=waivers,
    )


def _run_check(check: Check, question: Question) -> list[Result]:
    severity = question.rules.severity.get(check.id, check.severity)
    asked = check.asked(question.policy)
    return judge(check.id, check.title, severity, asked=asked, run=lambda: check.run(question))
