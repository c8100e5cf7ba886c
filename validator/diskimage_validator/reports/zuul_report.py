"""The report for a Zuul job: data for ``zuul_return``, with warnings for the build's page and the other reports' links.

In a playbook::

    - zuul_return:
        data: "{{ lookup('file', 'zuul.json') | from_json }}"

Zuul shows ``zuul.warnings`` with the build and ``zuul.artifacts`` as links; a relative URL of an artifact is taken from
the build's log folder. ``diskimage_validator`` is for the jobs that depend on this one.
Source: https://zuul-ci.org/docs/zuul/latest/job-content.html#returning-values
"""

import json
from collections.abc import Mapping
from typing import Any, Final, TextIO

from diskimage_validator.model import Report, Result, Severity, Status
from diskimage_validator.printable import MAX_LENGTH, printable
from diskimage_validator.reports.grouping import where
from diskimage_validator.reports.verdict import VERDICTS

MAX_WARNINGS: Final = 50
TITLES: Final = {
    "text": "Image validation report",
    "html": "Image validation report (HTML)",
    "json": "Image validation report (JSON)",
    "junit": "Image validation report (JUnit)",
    "sarif": "Image validation report (SARIF)",
    "cyclonedx": "Image bill of materials (CycloneDX)",
}


def write(report: Report, stream: TextIO, threshold: Severity) -> None:
    """Write one JSON object, without artifacts."""
    write_with(report, stream, threshold, {})


def write_with(report: Report, stream: TextIO, threshold: Severity, files: Mapping[str, str]) -> None:
    """Write one JSON object. ``files`` are the other reports: format to path relative to the build's log folder."""
    data = {
        "zuul": {
            "warnings": _warnings(report),
            "artifacts": [_artifact(report, name, path) for name, path in files.items()],
        },
        "diskimage_validator": {
            "verdict": VERDICTS[report.exit_status(threshold)].id,
            "exit_status": report.exit_status(threshold),
            "target": printable(report.target.name),
            "sha256": report.target.sha256 or "",
            "policy": printable(report.policy_name),
            "policy_sha256": report.policy_digest,
        },
    }
    json.dump(data, stream, indent=2)
    stream.write("\n")


def _warnings(report: Report) -> list[str]:
    """Return a line per failure and per thing that could not be told, worst first, and per expired waiver."""
    wrong = [result for result in report.results if result.counts or result.status is Status.ERROR]
    wrong.sort(key=lambda result: -result.severity.rank)
    lines = [_line(result) for result in wrong[:MAX_WARNINGS]]
    if len(wrong) > MAX_WARNINGS:
        lines.append(f"and {len(wrong) - MAX_WARNINGS} more findings: see the report")
    expired = [waiver for waiver in report.waivers if waiver.state == "expired"]
    lines += [f"waiver expired on {waiver.expires}: {waiver.check}, {waiver.subject}" for waiver in expired]
    return [printable(line, MAX_LENGTH) for line in lines]


def _line(result: Result) -> str:
    finding = result.finding
    word = "could not tell" if result.status is Status.ERROR else str(result.severity)
    place = f" ({where(finding)})" if finding.path else ""
    return f"{result.check}, {word}: {finding.subject}: {finding.message}{place}"


def _artifact(report: Report, name: str, path: str) -> dict[str, Any]:
    metadata = {"type": "image_validation_report", "format": name, "image_sha256": report.target.sha256 or ""}
    return {"name": TITLES.get(name, name), "url": path, "metadata": metadata}
