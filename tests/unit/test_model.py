import pytest

from diskimage_validator.model import Finding, Report, Result, Severity, Status, TargetInfo


def report(*results: tuple[Status, Severity]) -> Report:
    made = tuple(Result("check", severity, Finding("subject", status, "message")) for status, severity in results)
    return Report(TargetInfo("x", "disk-image"), "p", "0" * 64, "memory", "1", "2026-01-01T00:00:00+00:00", 1.0, made)


PASS = (Status.PASS, Severity.CRITICAL)
SKIP = (Status.SKIP, Severity.CRITICAL)
ERROR = (Status.ERROR, Severity.INFO)


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([], 2),
        ([SKIP], 2),
        ([PASS, SKIP], 0),
        ([PASS, (Status.FAIL, Severity.INFO)], 0),
        ([PASS, (Status.FAIL, Severity.WARNING)], 1),
        ([(Status.FAIL, Severity.CRITICAL)], 1),
        ([PASS, ERROR], 3),
        ([(Status.FAIL, Severity.CRITICAL), ERROR], 3),
    ],
)
def test_the_exit_status_follows_from_the_results(results: list[tuple[Status, Severity]], status: int) -> None:
    assert report(*results).exit_status() == status


def test_severities_are_in_ascending_order() -> None:
    assert sorted(Severity, key=lambda severity: severity.rank) == [Severity.INFO, Severity.WARNING, Severity.CRITICAL]


def test_a_report_counts_its_results() -> None:
    assert report(PASS, PASS, ERROR).as_dict()["summary"] == {"pass": 2, "fail": 0, "skip": 0, "error": 1}
