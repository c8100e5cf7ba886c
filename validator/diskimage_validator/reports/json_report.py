"""The report for programs: ``Report.as_dict()`` and the verdict."""

import json
from typing import TextIO

from diskimage_validator.model import Report, Severity


def write(report: Report, stream: TextIO, threshold: Severity) -> None:
    """Write one JSON object. Only ASCII: whatever an image calls its files, the document stays valid everywhere."""
    document = report.as_dict()
    document["verdict"] = {"threshold": str(threshold), "exit_status": report.exit_status(threshold)}
    json.dump(document, stream, indent=2)
    stream.write("\n")
