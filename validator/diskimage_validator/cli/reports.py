"""The reports of one run: their options, a look at every path before an image is read, and the writing."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TextIO

from diskimage_validator.cli_console import check_writable, output, print_error
from diskimage_validator.errors import UsageError
from diskimage_validator.facts import Facts
from diskimage_validator.frozen import dataclass
from diskimage_validator.model import Report, Severity
from diskimage_validator.reports import FACT_WRITERS, WRITERS
from diskimage_validator.reports.verdict_line import write_verdict

FORMATS: Final = (*WRITERS, *FACT_WRITERS)


@dataclass(frozen=True)
class Destination:
    """A report to write: its format, and a file or None for standard output.

    ``style`` is empty, or says how much of the text report is wanted: ``verdict`` or ``all``.
    """

    format: str
    path: str | None
    style: str = ""


def destination(option: str, formats: Sequence[str] = FORMATS) -> Destination:
    """Return what the option ``--report FORMAT=FILE`` means."""
    name, _, path = option.partition("=")
    if name not in formats or not path:
        raise UsageError(f"--report {option}: write FORMAT=FILE", f"formats: {', '.join(formats)}")
    return Destination(name, path)


def check_destinations(destinations: Iterable[Destination]) -> None:
    """Raise UsageError if a report could not be written, or two would go to one file."""
    seen: set[Path] = set()
    for path in [destination.path for destination in destinations if destination.path is not None]:
        check_writable(path)
        real = Path(path).resolve()
        if real in seen and (real.is_file() or not real.exists()):  # two may share /dev/null
            raise UsageError(f"two reports would go to {path}")
        seen.add(real)


def needed_facts(destinations: Iterable[Destination]) -> set[str]:
    """Return the fields of Facts that the reports show, whatever the policy asks."""
    return {
        need
        for destination in destinations
        if destination.format in FACT_WRITERS
        for need in FACT_WRITERS[destination.format].needs
    }


def write_reports(
    report: Report, facts: Facts | None, destinations: Sequence[Destination], threshold: Severity
) -> None:
    """Write every report, each whole or not at all. If some cannot be written the others are, and then it raises.

    ``facts`` are for the formats that show them.
    """
    errors: list[Exception] = []
    for destination in destinations:
        try:
            with output(destination.path) as stream:
                if destination.format == "zuul":
                    from diskimage_validator.reports.zuul_report import write_with

                    write_with(report, stream, threshold, _beside(destination, destinations))
                else:
                    _write(report, facts, destination, stream, threshold)
        except Exception as error:  # a bug in one writer must not cost the others
            errors.append(error)
    for earlier in errors[:-1]:
        print_error(earlier)
    if errors:
        raise errors[-1]


def _write(report: Report, facts: Facts | None, destination: Destination, stream: TextIO, threshold: Severity) -> None:
    if destination.format in FACT_WRITERS:
        if facts is None:
            hint = f"diskimage-validator inspect --format {destination.format} IMAGE"
            raise UsageError(f"{destination.format} is not made from a report", hint)
        FACT_WRITERS[destination.format].write(facts, stream)
    elif destination.format == "text" and destination.style:
        if destination.style == "verdict":
            write_verdict(report, stream, threshold)
        else:
            from diskimage_validator.reports.text_report import write_all

            write_all(report, stream, threshold)
    else:
        WRITERS[destination.format](report, stream, threshold)


def _beside(zuul: Destination, destinations: Iterable[Destination]) -> dict[str, str]:
    """Return the other reports that are files in or below the folder of Zuul's: format to path relative to it."""
    folder = Path(zuul.path or ".").parent.resolve()
    files = {other.format: Path(other.path).resolve() for other in destinations if other.path and other != zuul}
    return {name: str(file.relative_to(folder)) for name, file in files.items() if file.is_relative_to(folder)}
