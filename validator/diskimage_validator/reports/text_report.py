"""The report for people: what is wrong first and in full, what passed in a line per check, the verdict last.

A stream that is a terminal gets colours and its width; anything else gets plain lines that are never wrapped.
"""

from collections.abc import Sequence
from typing import Final, TextIO

from diskimage_validator.model import FACTORY, Report, Result, Severity, Status
from diskimage_validator.printable import printable
from diskimage_validator.reports.grouping import CheckResults, as_listed, by_check, not_asked, waiver_of, where
from diskimage_validator.reports.printer import Printer
from diskimage_validator.reports.styles import STYLES, WAIVER_STYLES, plain
from diskimage_validator.reports.verdict_line import write_verdict
from diskimage_validator.sizes import format_size

_INDENT: Final = " " * 10


def write(report: Report, stream: TextIO, threshold: Severity) -> None:
    """Write the report, with a line for every check that has nothing but passes."""
    printer = Printer(stream)
    groups = by_check(report.results)
    full = [group for group in groups if group.failed or group.waived or group.of(Status.ERROR)]
    for group in sorted(full, key=_urgency):
        shown = [result for result in group.results if result.status in (Status.FAIL, Status.ERROR)]
        _write_check(printer, report, group, shown)
    _write_rest(printer, as_listed(report, [group for group in groups if group not in full]))
    _write_end(printer, report)
    write_verdict(report, stream, threshold)


def write_all(report: Report, stream: TextIO, threshold: Severity) -> None:
    """Write the report with every single thing that passed or was skipped."""
    printer = Printer(stream)
    for group in sorted(as_listed(report, by_check(report.results)), key=_urgency):
        _write_check(printer, report, group, group.results)
    _write_end(printer, report)
    write_verdict(report, stream, threshold)


def _urgency(group: CheckResults) -> int:
    """Return where a check belongs: failures first, then what could not be told, waived failures, and the rest."""
    return 0 if group.failed else 1 if group.of(Status.ERROR) else 2 if group.waived else 3


def _write_check(printer: Printer, report: Report, group: CheckResults, shown: Sequence[Result]) -> None:
    printer.heading((group.title, "bold"), f"  ({group.check}, {group.severity})")
    for result in shown:
        word, style = ("WAIVED", "yellow") if result.waived else (result.status.upper(), STYLES[result.status])
        finding = result.finding
        printer.line("  ", (f"{word:6}", style), "  ", text=f"{plain(finding.subject)}: {plain(finding.message)}")
        if result.status in (Status.FAIL, Status.ERROR) or finding.tried:
            _write_details(printer, report, result)
    if passed := sum(result.status is Status.PASS for result in group.results if result not in shown):
        printer.line("  ", ("PASS  ", STYLES[Status.PASS]), "  ", text=f"{passed} more")
    printer.heading()


def _write_details(printer: Printer, report: Report, result: Result) -> None:
    finding = result.finding
    waiver = waiver_of(report, result)
    fields = {
        "waiver": f"until {waiver.expires}: {waiver.reason}" if waiver else result.waived,
        "expected": finding.expected,
        "actual": finding.actual,
        "file": where(finding),
        "tried": finding.tried,
        "when": finding.when if finding.tried else "",
        "hint": finding.hint,
    }
    for name, value in fields.items():
        if value and value != finding.message:
            style = {"hint": "cyan", "waiver": "yellow"}.get(name, "")
            # Who asked several had several things to try: the line about room has all registries, indices and mirrors.
            first, *others = value.split("; ") if name == "tried" else [value]
            printer.line((f"{_INDENT}{name + ':':<10}", style or "dim"), text=(plain(first), style))
            for other in others:
                printer.line(f"{_INDENT}{'':10}", text=(plain(other), style))


def _write_rest(printer: Printer, groups: Sequence[CheckResults]) -> None:
    """Write a line per check, with what was found if that is one thing, else with numbers."""
    width = max((len(group.check) for group in groups), default=0)
    for group in groups:
        passed, skipped = group.of(Status.PASS), group.of(Status.SKIP)
        status = Status.PASS if passed else Status.SKIP
        if len(group.results) == 1:
            text = f"{group.results[0].finding.subject}: {group.results[0].finding.message}"
        else:
            text = ", ".join(f"{len(of)} {word}" for of, word in ((passed, "passed"), (skipped, "skipped")) if of)
        printer.line("  ", (f"{status.upper():6}", STYLES[status]), f"  {group.check:{width}}  ", text=plain(text))
    if groups:
        printer.heading()


def _write_end(printer: Printer, report: Report) -> None:
    _write_waivers(printer, report)
    if unasked := not_asked(report):
        printer.line("not asked for: ", text=", ".join(unasked))
        printer.heading()
    _write_identity(printer, report)


def _write_waivers(printer: Printer, report: Report) -> None:
    if not report.waivers:
        return
    printer.heading(("Waivers", "bold"))
    for waiver in report.waivers:
        state = f"{waiver.state:7}"
        day = f"{'since' if waiver.state == 'expired' else 'until'} {waiver.expires}"
        failures = f"{waiver.findings} failure{'' if waiver.findings == 1 else 's'}"
        told = f"{waiver.check}, {plain(waiver.subject)}: {failures}, {day}"
        printer.line("  ", (state, WAIVER_STYLES[waiver.state]), "  ", text=told)
        printer.line(" " * len(f"  {state}  "), text=(plain(waiver.reason), "dim"))
    printer.heading()


def _write_identity(printer: Printer, report: Report) -> None:
    target = report.target
    sizes = [
        f"{format_size(size)} {word}"
        for size, word in ((target.file_size, "file"), (target.virtual_size, "disk"))
        if size is not None
    ]
    rows = {
        target.kind if target.kind == FACTORY else "target": ", ".join(
            [printable(target.name), *([target.format] if target.format else []), *sizes]
        ),
        "sha256": report.policy_digest if target.kind == FACTORY else target.sha256 or "",
        "policy": "" if target.kind == FACTORY else f"{printable(report.policy_name)}, sha256 {report.policy_digest}",
        "engine": f"{report.engine}, {report.duration:.1f} s, diskimage-validator {report.tool_version}",
    }
    for name, value in rows.items():
        if value:
            printer.line(f"{name:8}", text=value)
    for note in report.notes:
        printer.line("note    ", text=plain(note))
    printer.heading()
