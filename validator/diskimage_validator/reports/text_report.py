"""The report for people: findings by check, what was looked at, and the verdict as the last line.

A stream that is a terminal gets colours and its width; anything else gets plain lines that are never wrapped.
"""

import itertools
from typing import Final, TextIO

from rich.console import Console
from rich.text import Text

from diskimage_validator.checks import CHECKS
from diskimage_validator.model import Report, Result, Severity, Status
from diskimage_validator.printable import printable
from diskimage_validator.reports.lines import console_for, plain, print_line
from diskimage_validator.sizes import format_size

STYLES: Final = {Status.PASS: "green", Status.FAIL: "bold red", Status.SKIP: "yellow", Status.ERROR: "bold magenta"}
VERDICTS: Final = {
    0: (Status.PASS, "PASSED"),
    1: (Status.FAIL, "FAILED"),
    2: (Status.ERROR, "NOTHING CHECKED"),
    3: (Status.ERROR, "COULD NOT TELL"),
}


def write(report: Report, stream: TextIO, threshold: Severity) -> None:
    """Write the whole report."""
    console = console_for(stream)
    for check, group in itertools.groupby(report.results, key=lambda result: result.check):
        _write_check(console, check, list(group))
    _write_facts(console, report)
    write_verdict(report, stream, threshold)


def write_verdict(report: Report, stream: TextIO, threshold: Severity) -> None:
    """Write one line: the verdict and the counts."""
    status, word = VERDICTS[report.exit_status(threshold)]
    counts = ", ".join(f"{report.count(status)} {word}" for status, word in _counted(report))
    below = report.count(Status.FAIL) and report.exit_status(threshold) == 0
    remark = f" (failures are below the threshold, {threshold})" if below else ""
    line = Text.assemble(
        (word, STYLES[status]), f"  {printable(report.target.name)}  against {printable(report.policy_name)}: {counts}"
    )
    console_for(stream).print(line.append(remark))


def _counted(report: Report) -> list[tuple[Status, str]]:
    words = {Status.PASS: "passed", Status.FAIL: "failed", Status.ERROR: "could not tell", Status.SKIP: "skipped"}
    return [(status, word) for status, word in words.items() if report.count(status) or status is Status.PASS]


def _write_check(console: Console, check: str, results: list[Result]) -> None:
    title = CHECKS[check].title if check in CHECKS else check
    console.print(Text.assemble((title, "bold"), f"  ({check}, {results[0].severity})"))
    for result in results:
        finding = result.finding
        label = Text.assemble("  ", (f"{result.status.upper():5}", STYLES[result.status]), "  ")
        print_line(console, label, Text(f"{plain(finding.subject)}: {plain(finding.message)}"))
        if result.status in (Status.FAIL, Status.ERROR):
            _write_details(console, result)
    console.print()


def _write_details(console: Console, result: Result) -> None:
    finding = result.finding
    fields = {"expected": finding.expected, "actual": finding.actual, "file": finding.path, "hint": finding.hint}
    for name, value in fields.items():
        if value and value != finding.message:
            style = "cyan" if name == "hint" else "dim"
            print_line(console, Text(f"         {name + ':':<10}", style), Text(plain(value), style))


def _write_facts(console: Console, report: Report) -> None:
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
