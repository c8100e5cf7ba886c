"""``report``: a JSON report in the other formats, without the image."""

from collections.abc import Sequence
from pathlib import Path

import click

from diskimage_validator.cli.options import format_option, output_option, report_option
from diskimage_validator.cli.reports import Destination, check_destinations, destination, write_reports
from diskimage_validator.documents import read_bounded
from diskimage_validator.reports import WRITERS
from diskimage_validator.reports.json_reader import read_report


@click.command("report")
@click.argument("report")
@format_option(WRITERS)
@output_option
@report_option
def report_command(*, report: str, report_format: str, output_file: str | None, reports: Sequence[str]) -> int:
    """Write REPORT, a JSON report, in other formats. The status is that of the validation."""
    destinations = [Destination(report_format, output_file), *map(destination, reports)]
    check_destinations(destinations)
    read, threshold = read_report(read_bounded(Path(report)), report)
    write_reports(read, None, destinations, threshold)
    return read.exit_status(threshold)
