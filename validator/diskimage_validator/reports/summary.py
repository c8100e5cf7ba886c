"""Several targets in one call: a table with a line for each, or one JSON object with every report in it."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, TextIO

from rich.console import Console
from rich.text import Text

from diskimage_validator.errors import ValidatorError
from diskimage_validator.frozen import dataclass
from diskimage_validator.model import SCHEMA_VERSION, Report, Severity
from diskimage_validator.reports.grouping import failed_checks
from diskimage_validator.reports.json_report import document
from diskimage_validator.reports.lines import console_for, print_line
from diskimage_validator.reports.styles import STYLES, plain
from diskimage_validator.reports.verdict import VERDICTS, Counts, counts_of

COLUMNS: Final = ("passed", "failed", "waived", "could_not_tell")
HEADINGS: Final = ("PASS", "FAIL", "WAIVED", "ERROR")


@dataclass(frozen=True)
class Outcome:
    """What became of one target: a report, or the error that kept it from being read."""

    target: str
    report: Report | None = None
    error: ValidatorError | None = None

    def exit_status(self, threshold: Severity) -> int:
        """Exit status of this target alone. With neither report nor error it is 3: nobody looked."""
        if self.report is not None:
            return self.report.exit_status(threshold)
        return self.error.exit_status if self.error else 3


def exit_status(outcomes: Sequence[Outcome], threshold: Severity) -> int:
    """Exit status of all together: the highest, because "could not tell" about one image is no verdict on all.

    2 if there is no target at all.
    """
    return max((outcome.exit_status(threshold) for outcome in outcomes), default=2)


def write_summary(outcomes: Sequence[Outcome], stream: TextIO, threshold: Severity) -> None:
    """Write a line per target, the worst first, and the verdict on all of them as the last line."""
    console = console_for(stream)
    width = max(len(verdict.word) for verdict in VERDICTS.values())
    console.print(Text(f"{'VERDICT':{width}}  {'  '.join(HEADINGS)}  TARGET", style="dim"))
    for outcome in sorted(outcomes, key=lambda outcome: -outcome.exit_status(threshold)):
        _write_line(console, outcome, threshold, width)
    console.print()
    verdict = VERDICTS[exit_status(outcomes, threshold)]
    line = Text.assemble((verdict.word, STYLES[verdict.status]), f"  {_count(outcomes, threshold)}")
    console.print(line)


def write_summary_json(outcomes: Sequence[Outcome], stream: TextIO, threshold: Severity) -> None:
    """Write one JSON object. Its ``targets`` are in the order in which they were given, each with its whole report."""
    status = exit_status(outcomes, threshold)
    summary = {
        "schema": SCHEMA_VERSION,
        "verdict": {"threshold": str(threshold), "exit_status": status},
        "summary": {verdict.id: _with(outcomes, threshold, key) for key, verdict in VERDICTS.items()},
        "targets": [_target(outcome, threshold) for outcome in outcomes],
    }
    json.dump(summary, stream, indent=2)
    stream.write("\n")


SUMMARY_WRITERS: Final[dict[str, Callable[[Sequence[Outcome], TextIO, Severity], None]]] = {
    "text": write_summary,
    "json": write_summary_json,
}


def _write_line(console: Console, outcome: Outcome, threshold: Severity, width: int) -> None:
    verdict = VERDICTS[outcome.exit_status(threshold)]
    counts = counts_of(outcome.report) if outcome.report else None
    label = Text.assemble((f"{verdict.word:{width}}", STYLES[verdict.status]), "  ", _cells(counts), "  ")
    text = plain(outcome.target)
    if outcome.report and (failed := failed_checks(outcome.report)):
        text = f"{text}: {', '.join(failed)}"
    elif outcome.error:
        text = f"{text}: {plain(outcome.error.message)}"
    print_line(console, label, Text(text))
    if outcome.error and outcome.error.hint:
        print_line(console, Text(" " * label.cell_len), Text(f"hint: {plain(outcome.error.hint)}", style="cyan"))


def _cells(counts: Counts | None) -> str:
    values = [str(getattr(counts, name)) if counts else "-" for name in COLUMNS]
    return "  ".join(f"{value:>{len(heading)}}" for value, heading in zip(values, HEADINGS, strict=True))


def _with(outcomes: Sequence[Outcome], threshold: Severity, status: int) -> int:
    return sum(outcome.exit_status(threshold) == status for outcome in outcomes)


def _count(outcomes: Sequence[Outcome], threshold: Severity) -> str:
    numbers = {verdict.word.lower(): _with(outcomes, threshold, status) for status, verdict in VERDICTS.items()}
    parts = [f"{number} {word}" for word, number in numbers.items() if number]
    return f"{len(outcomes)} targets: {', '.join(parts)}" if parts else "no target"


def _target(outcome: Outcome, threshold: Severity) -> dict[str, Any]:
    status = outcome.exit_status(threshold)
    return {
        "target": outcome.target,
        "verdict": VERDICTS[status].id,
        "exit_status": status,
        "failed_checks": failed_checks(outcome.report) if outcome.report else [],
        "error": outcome.error.message if outcome.error else "",
        "hint": outcome.error.hint if outcome.error else "",
        "report": document(outcome.report, threshold) if outcome.report else None,
    }
