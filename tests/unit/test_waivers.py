"""A waiver covers failures until its day comes, and every report lists it."""

import datetime

import pytest

from diskimage_validator.model import Finding, Report, Result, Severity, Status
from diskimage_validator.policy_model import WaiverRule
from diskimage_validator.runner import run_checks
from diskimage_validator.waivers import apply_waivers
from tests.support import images, pki
from tests.support.asking import facts_of
from tests.support.memory_engine import Entry

TODAY = pki.NOW.date()
DAY = datetime.timedelta(days=1)


def rule(check: str = "disk", subject: str = "*", expires: datetime.date = TODAY + DAY) -> WaiverRule:
    fields = {"check": check, "subject": subject, "reason": "ticket 7", "expires": expires.isoformat()}
    return WaiverRule.model_validate(fields)


def failed(check: str = "disk", subject: str = "virtual size", status: Status = Status.FAIL) -> Result:
    return Result(check, Severity.CRITICAL, Finding(subject, status, "too big"))


def test_an_active_waiver_takes_the_failure_out_of_the_verdict() -> None:
    (result,), (waiver,) = apply_waivers([failed()], [rule()], TODAY)
    assert (result.waived, result.counts, result.status) == ("ticket 7", False, Status.FAIL)
    assert (waiver.state, waiver.findings) == ("active", 1)


@pytest.mark.parametrize("expires", [TODAY, TODAY - DAY])
def test_on_its_day_it_stops_working(expires: datetime.date) -> None:
    (result,), (waiver,) = apply_waivers([failed()], [rule(expires=expires)], TODAY)
    assert (result.counts, waiver.state, waiver.findings) == (True, "expired", 1)


@pytest.mark.parametrize(
    "other", [failed(check="os"), failed(subject="file size"), failed(status=Status.ERROR), failed(status=Status.PASS)]
)
def test_it_covers_nothing_else(other: Result) -> None:
    (result,), (waiver,) = apply_waivers([other], [rule(subject="virtual*")], TODAY)
    assert (result.waived, waiver.state, waiver.findings) == ("", "unused", 0)


def test_an_expired_one_does_not_hide_an_active_one() -> None:
    (result,), waivers = apply_waivers([failed()], [rule(expires=TODAY), rule()], TODAY)
    assert result.waived
    assert [waiver.state for waiver in waivers] == ["expired", "active"]


def report(tree: dict[str, Entry], expires: str) -> Report:
    waiver = {"check": "packages-required", "subject": "nano", "reason": "ticket 7", "expires": expires}
    policy = images.policy(packages={"required": ["nano", "jq"]}, waivers=[waiver])
    return run_checks(policy, facts_of(tree, disk=images.disk()), now=pki.NOW)


def test_the_report_passes_and_lists_it(tree: dict[str, Entry]) -> None:
    found = report(tree, "2026-06-02")
    assert found.exit_status() == 0
    document = found.as_dict()
    assert document["waived"] == 1
    assert document["waivers"] == [
        {
            "check": "packages-required",
            "subject": "nano",
            "reason": "ticket 7",
            "expires": "2026-06-02",
            "state": "active",
            "findings": 1,
        }
    ]


def test_the_report_fails_from_that_day_on(tree: dict[str, Entry]) -> None:
    assert report(tree, "2026-06-01").exit_status() == 1
