"""The report for people: what is wrong first and in full, what passed in a line per check, the verdict last.

A stream that is a terminal gets colours and its width; anything else gets plain lines that are never wrapped.
"""

from collections.abc import Sequence
from typing import Final, TextIO

from rich.console import Console
from rich.text import Text

from diskimage_validator.model import Report, Result, Severity, Status
from diskimage_validator.printable import printable
from diskimage_validator.reports.grouping import CheckResults, by_check, not_asked, waiver_of, where
from diskimage_validator.reports.lines import STYLES, WAIVER_STYLES, console_for, plain, print_line
from diskimage_validator.reports.verdict_line import write_verdict
from diskimage_validator.sizes import format_size

_INDENT: Final = " " * 10


def write(report: Report, stream: TextIO, threshold: Severity) -> None:
    """Write the report, with a line for every check that has nothing but passes."""
    console = console_for(stream)
    groups = by_check(report.results)
    full = [group for group in groups if group.failed or group.waived or group.of(Status.ERROR)]
    for group in sorted(full, key=_urgency):
        shown = [result for result in group.results if result.status in (Status.FAIL, Status.ERROR)]
        _write_check(console, report, group, shown)
    _write_rest(console, [group for group in groups if group not in full])
    _write_end(console, report)
    write_verdict(report, stream, threshold)


def write_all(report: Report, stream: TextIO, threshold: Severity) -> None:
    """Write the report with every single thing that passed or was skipped."""
    console = console_for(stream)
    for group in sorted(by_check(report.results), key=_urgency):
        _write_check(console, report, group, group.results)
    _write_end(console, report)
    write_verdict(report, stream, threshold)


def _urgency(group: CheckResults) -> int:
    """Return where a check belongs: failures first, then what could not be told, waived failures, and the rest."""
    return 0 if group.failed else 1 if group.of(Status.ERROR) else 2 if group.waived else 3


def _write_check(console: Console, report: Report, group: CheckResults, shown: Sequence[Result]) -> None:
    console.print(Text.assemble((group.title, "bold"), f"  ({group.check}, {group.severity})"))
    for result in shown:
        word, style = ("WAIVED", "yellow") if result.waived else (result.status.upper(), STYLES[result.status])
        finding = result.finding
        text = Text(f"{plain(finding.subject)}: {plain(finding.message)}")
        print_line(console, Text.assemble("  ", (f"{word:6}", style), "  "), text)
        if result.status in (Status.FAIL, Status.ERROR) or finding.tried:
            _write_details(console, report, result)
    if passed := sum(result.status is Status.PASS for result in group.results if result not in shown):
        print_line(console, Text.assemble("  ", ("PASS  ", STYLES[Status.PASS]), "  "), Text(f"{passed} more"))
    console.print()


def _write_details(console: Console, report: Report, result: Result) -> None:
    finding = result.finding
    waiver = waiver_of(report, result)
    fields = {
        "waiver": f"until {waiver.expires}: {waiver.reason}" if waiver else result.waived,
        "expected": finding.expected,
        "actual": finding.actual,
        "file": where(finding),
        "tried": f"{finding.tried}, {finding.when}" if finding.tried else "",
        "hint": finding.hint,
    }
    for name, value in fields.items():
        if value and value != finding.message:
            style = {"hint": "cyan", "waiver": "yellow"}.get(name, "")
            print_line(console, Text(f"{_INDENT}{name + ':':<10}", style or "dim"), Text(plain(value), style))


def _write_rest(console: Console, groups: Sequence[CheckResults]) -> None:
    """Write a line per check, with what was found if that is one thing, else with numbers."""
    width = max((len(group.check) for group in groups), default=0)
    for group in groups:
        passed, skipped = group.of(Status.PASS), group.of(Status.SKIP)
        status = Status.PASS if passed else Status.SKIP
        label = Text.assemble("  ", (f"{status.upper():6}", STYLES[status]), f"  {group.check:{width}}  ")
        if len(group.results) == 1:
            text = f"{group.results[0].finding.subject}: {group.results[0].finding.message}"
        else:
            text = ", ".join(f"{len(of)} {word}" for of, word in ((passed, "passed"), (skipped, "skipped")) if of)
        print_line(console, label, Text(plain(text)))
    if groups:
        console.print()


def _write_end(console: Console, report: Report) -> None:
    _write_waivers(console, report)
    if unasked := not_asked(report):
        print_line(console, Text("not asked for: "), Text(", ".join(unasked)))
        console.print()
    _write_identity(console, report)


def _write_waivers(console: Console, report: Report) -> None:
    if not report.waivers:
        return
    console.print(Text("Waivers", style="bold"))
    for waiver in report.waivers:
        label = Text.assemble("  ", (f"{waiver.state:7}", WAIVER_STYLES[waiver.state]), "  ")
        day = f"{'since' if waiver.state == 'expired' else 'until'} {waiver.expires}"
        failures = f"{waiver.findings} failure{'' if waiver.findings == 1 else 's'}"
        print_line(console, label, Text(f"{waiver.check}, {plain(waiver.subject)}: {failures}, {day}"))
        print_line(console, Text(" " * label.cell_len), Text(plain(waiver.reason), style="dim"))
    console.print()


def _write_identity(console: Console, report: Report) -> None:
    target = report.target
    sizes = [
        f"{format_size(size)} {word}"
        for size, word in ((target.file_size, "file"), (target.virtual_size, "disk"))
        if size is not None
    ]
    rows = {
        "target": ", ".join([printable(target.name), *([target.format] if target.format else []), *sizes]),
        "sha256": target.sha256 or "",
        "policy": f"{printable(report.policy_name)}, sha256 {report.policy_digest}",
        "engine": f"{report.engine}, {report.duration:.1f} s, diskimage-validator {report.tool_version}",
    }
    for name, value in rows.items():
        if value:
            print_line(console, Text(f"{name:8}"), Text(value))
    for note in report.notes:
        print_line(console, Text("note    "), Text(plain(note)))
    console.print()
