"""The verdict as one line: all that ``--quiet`` leaves of the report for people, and that report's last line."""

from typing import TextIO

from diskimage_validator.model import FACTORY, Report, Severity
from diskimage_validator.printable import printable
from diskimage_validator.reports.grouping import failed_checks
from diskimage_validator.reports.verdict import VERDICTS, counts_of, remark_on


def write_verdict(report: Report, stream: TextIO, threshold: Severity) -> None:
    """Write one line: the verdict, the counts, and which checks failed."""
    verdict = VERDICTS[report.exit_status(threshold)]
    policy = "" if report.target.kind == FACTORY else f"  against {printable(report.policy_name)}"
    names = f"  {printable(report.target.name)}{policy}: {counts_of(report)}"
    remark = remark_on(report, threshold) or ", ".join(failed_checks(report))
    rest = names + (f" ({remark})" if remark else "")
    if not stream.isatty():
        stream.write(f"{verdict.word}{rest}\n")
        return
    from rich.text import Text

    from diskimage_validator.reports.lines import console_for
    from diskimage_validator.reports.styles import STYLES

    console_for(stream).print(Text.assemble((verdict.word, STYLES[verdict.status]), rest))
