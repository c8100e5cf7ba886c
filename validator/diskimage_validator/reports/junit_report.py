"""The report for CI systems that show JUnit XML: a suite per check, a case per result.

A FAIL below the threshold is a failure too: JUnit knows no severities. Its type says which severity it has. A waived
failure is a skipped case that says until when and why.
"""

import xml.etree.ElementTree as ET
from typing import TextIO

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite
from junitparser.junitparser import FinalResult

from diskimage_validator.model import Report, Result, Severity, Status
from diskimage_validator.printable import printable
from diskimage_validator.reports.grouping import CheckResults, by_check, not_asked, waiver_of, where

KINDS: dict[Status, type[FinalResult]] = {Status.FAIL: Failure, Status.ERROR: Error, Status.SKIP: Skipped}


def write(report: Report, stream: TextIO, threshold: Severity) -> None:
    """Write one XML document. Characters that XML cannot hold are written as escapes."""
    document = JUnitXml("diskimage-validator")
    for group in by_check(report.results):
        document.add_testsuite(_suite(report, group, threshold))
    document.update_statistics()  # type: ignore[no-untyped-call]  # junitparser is typed in part
    text: bytes = document.tostring()  # type: ignore[no-untyped-call]
    stream.write(f"<?xml version='1.0' encoding='utf-8'?>\n{_normalised(text)}\n")


def _normalised(document: bytes) -> str:
    """Return what junitparser wrote, indented and in one form: it writes with lxml where that happens to be there."""
    root = ET.fromstring(document)  # noqa: S314 - written by this process a moment ago
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


def _suite(report: Report, group: CheckResults, threshold: Severity) -> TestSuite:
    suite = TestSuite(group.check)
    suite.timestamp = report.started
    properties = {
        "target": printable(report.target.name),
        "target-sha256": report.target.sha256 or "",
        "policy": printable(report.policy_name),
        "policy-sha256": report.policy_digest,
        "threshold": str(threshold),
        "not-asked-for": ", ".join(not_asked(report)),
    }
    for name, value in properties.items():
        suite.add_property(name, value)
    suite.add_testcases([_case(report, result) for result in group.results])
    return suite


def _case(report: Report, result: Result) -> TestCase:
    finding = result.finding
    case = TestCase(printable(finding.subject), classname=f"diskimage-validator.{result.check}", time=0)
    outcome = _outcome(report, result)
    if outcome is not None:
        outcome.text = _details(result)
        case.result = [outcome]
    return case


def _outcome(report: Report, result: Result) -> FinalResult | None:
    if result.waived:
        waiver = waiver_of(report, result)
        until = f"waived until {waiver.expires}" if waiver else "waived"
        return Skipped(printable(f"{until}: {result.waived}: {result.finding.message}"), "waived")
    kind = KINDS.get(result.status)
    return kind(printable(result.finding.message), str(result.severity)) if kind else None


def _details(result: Result) -> str:
    finding = result.finding
    fields = (
        ("expected", finding.expected),
        ("actual", finding.actual),
        ("file", where(finding)),
        ("tried", f"{finding.tried}, {finding.when}" if finding.tried else ""),
        ("hint", finding.hint),
    )
    return "\n".join(f"{name}: {printable(value)}" for name, value in fields if value)
