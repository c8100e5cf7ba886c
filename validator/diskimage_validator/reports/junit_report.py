"""The report for CI systems that show JUnit XML: a suite per check, a case per result.

A FAIL below the threshold is a failure too: JUnit knows no severities. Its type says which severity it has.
"""

import itertools
from typing import TextIO

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite
from junitparser.junitparser import FinalResult

from diskimage_validator.model import Report, Result, Severity, Status
from diskimage_validator.printable import printable

KINDS: dict[Status, type[FinalResult]] = {Status.FAIL: Failure, Status.ERROR: Error, Status.SKIP: Skipped}


def write(report: Report, stream: TextIO, threshold: Severity) -> None:
    """Write one XML document. Characters that XML cannot hold are written as escapes."""
    document = JUnitXml("diskimage-validator")
    for check, results in itertools.groupby(report.results, key=lambda result: result.check):
        suite = TestSuite(check)
        suite.timestamp = report.started
        suite.add_property("target", printable(report.target.name))
        suite.add_property("target-sha256", report.target.sha256 or "")
        suite.add_property("policy", printable(report.policy_name))
        suite.add_property("policy-sha256", report.policy_digest)
        suite.add_property("threshold", str(threshold))
        suite.add_testcases([_case(result) for result in results])
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]  # junitparser is typed in part
    text: bytes = document.tostring()  # type: ignore[no-untyped-call]
    stream.write(f"<?xml version='1.0' encoding='utf-8'?>\n{text.decode('utf-8')}\n")


def _case(result: Result) -> TestCase:
    finding = result.finding
    case = TestCase(printable(finding.subject), classname=f"diskimage-validator.{result.check}", time=0)
    kind = KINDS.get(result.status)
    if kind:
        outcome = kind(printable(finding.message), str(result.severity))
        outcome.text = _details(result)
        case.result = [outcome]
    return case


def _details(result: Result) -> str:
    finding = result.finding
    fields = (
        ("expected", finding.expected),
        ("actual", finding.actual),
        ("file", finding.path),
        ("hint", finding.hint),
    )
    return "\n".join(f"{name}: {printable(value)}" for name, value in fields if value)
