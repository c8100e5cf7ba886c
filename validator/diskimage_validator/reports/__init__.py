"""How results are told: one writer per format, all with one signature."""

from collections.abc import Callable
from typing import Final, TextIO

from diskimage_validator.model import Report, Severity
from diskimage_validator.reports import json_report, junit_report, text_report

Writer = Callable[[Report, TextIO, Severity], None]
"""Writes a report to a text stream. The severity is the threshold of the verdict."""

WRITERS: Final[dict[str, Writer]] = {
    "text": text_report.write,
    "json": json_report.write,
    "junit": junit_report.write,
}
