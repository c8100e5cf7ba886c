"""Results by check, as every report for people shows them: what is wrong first, what passed in short."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from diskimage_validator.catalogue import described
from diskimage_validator.frozen import dataclass
from diskimage_validator.model import FACTORY, Finding, Report, Result, Severity, Status, Waiver


@dataclass(frozen=True)
class CheckResults:
    """All results of one check, in the order of the report."""

    check: str
    results: tuple[Result, ...]

    @property
    def title(self) -> str:
        """The check's title; its id if this release has no such check."""
        known = described(self.check)
        return known.title if known else self.check

    @property
    def severity(self) -> Severity:
        """The severity that the policy gave the check."""
        return self.results[0].severity

    @property
    def failed(self) -> list[Result]:
        """Failures that nobody waived."""
        return [result for result in self.results if result.counts]

    @property
    def waived(self) -> list[Result]:
        """Failures that are accepted for a while."""
        return [result for result in self.results if result.waived]

    def of(self, status: Status) -> list[Result]:
        """Return the results with ``status``, waived ones included."""
        return [result for result in self.results if result.status is status]


def by_check(results: Sequence[Result]) -> list[CheckResults]:
    """Return the results of every check that was asked for: the most severe first, else in the order of the report."""
    found: dict[str, list[Result]] = {}
    for result in filter(lambda result: result.asked, results):
        found.setdefault(result.check, []).append(result)
    groups = [CheckResults(check, tuple(group)) for check, group in found.items()]
    return sorted(groups, key=lambda group: -group.severity.rank)


def as_listed(report: Report, groups: Sequence[CheckResults]) -> list[CheckResults]:
    """Return what passed, in order: of a factory in that of its checklist, else as ``by_check`` sorts it."""
    if report.target.kind != FACTORY:
        return list(groups)
    order = {check: place for place, check in enumerate(dict.fromkeys(result.check for result in report.results))}
    return sorted(groups, key=lambda group: order[group.check])


def not_asked(report: Report) -> list[str]:
    """Return the ids of the checks that the policy does not ask for."""
    return [result.check for result in report.results if not result.asked]


def failed_checks(report: Report) -> list[str]:
    """Return the ids of the checks that failed, waivers aside, or could not tell."""
    return [group.check for group in by_check(report.results) if group.failed or group.of(Status.ERROR)]


def waiver_of(report: Report, result: Result) -> Waiver | None:
    """Return the waiver that covers ``result``, None if there is none."""
    for waiver in report.waivers if result.waived else ():
        covers = waiver.check == result.check and fnmatchcase(result.finding.subject, waiver.subject)
        if covers and waiver.state == "active" and waiver.reason == result.waived:
            return waiver
    return None


def where(finding: Finding) -> str:
    """Return the file that shows a finding, with its line if there is one: ``/etc/pip.conf:3``."""
    return f"{finding.path}:{finding.line}" if finding.path and finding.line else finding.path
