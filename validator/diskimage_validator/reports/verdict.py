"""The verdict in words: what an exit status means, and the counts behind it."""

from typing import Final

from diskimage_validator.frozen import dataclass
from diskimage_validator.model import Report, Severity, Status


@dataclass(frozen=True)
class Verdict:
    """``word`` is for people, ``id`` for programs; ``status`` is what it looks like."""

    id: str
    word: str
    status: Status


VERDICTS: Final = {
    0: Verdict("passed", "PASSED", Status.PASS),
    1: Verdict("failed", "FAILED", Status.FAIL),
    2: Verdict("nothing-checked", "NOTHING CHECKED", Status.ERROR),
    3: Verdict("could-not-tell", "COULD NOT TELL", Status.ERROR),
}
"""By exit status."""


@dataclass(frozen=True)
class Counts:
    """Numbers of results, each result in one of them; ``not_asked`` is a number of checks."""

    passed: int
    failed: int
    waived: int
    could_not_tell: int
    skipped: int
    not_asked: int

    def __str__(self) -> str:
        """Return what is not 0, and always what passed: ``9 passed, 1 failed``."""
        words = {name.replace("_", " "): number for name, number in self.__dict__.items() if name != "not_asked"}
        return ", ".join(f"{number} {word}" for word, number in words.items() if number or word == "passed")


def counts_of(report: Report) -> Counts:
    """Return the numbers of results in ``report``."""
    waived = sum(bool(result.waived) for result in report.results)
    not_asked = sum(not result.asked for result in report.results)
    return Counts(
        passed=report.count(Status.PASS),
        failed=report.count(Status.FAIL) - waived,
        waived=waived,
        could_not_tell=report.count(Status.ERROR),
        skipped=report.count(Status.SKIP) - not_asked,
        not_asked=not_asked,
    )


def remark_on(report: Report, threshold: Severity) -> str:
    """Return why an image passes in spite of failures, or an empty string."""
    below = counts_of(report).failed and report.exit_status(threshold) == 0
    return f"failures are below the threshold, {threshold}" if below else ""
