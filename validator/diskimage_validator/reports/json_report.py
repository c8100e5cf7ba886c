"""The report for programs: ``Report.as_dict()`` and the verdict. ``schemas/report.schema.json`` describes it."""

import json
from typing import Any, TextIO

from diskimage_validator.model import Report, Severity


def document(report: Report, threshold: Severity) -> dict[str, Any]:
    """Return the JSON object."""
    verdict = {"threshold": str(threshold), "exit_status": report.exit_status(threshold)}
    return {**report.as_dict(), "verdict": verdict}


def write(report: Report, stream: TextIO, threshold: Severity) -> None:
    """Write one JSON object. Only ASCII: whatever an image calls its files, the document stays valid everywhere."""
    json.dump(document(report, threshold), stream, indent=2)
    stream.write("\n")
