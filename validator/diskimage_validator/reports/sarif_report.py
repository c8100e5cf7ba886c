"""The report for tools that show findings at files and lines: SARIF 2.1.0 (OASIS standard).

A check is a rule, with its explanation as help. FAIL is a result of the kind ``fail``, PASS of ``pass``, SKIP of
``notApplicable``. ERROR is ``open``, SARIF's word for "could not tell", and a notification of the tool as well, because
many viewers show failures only. A waiver is a suppression. Paths are relative to the root of the image, ``IMAGE``.

The section numbers below are those of https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/.
"""

import hashlib
import json
from typing import Any, Final, TextIO
from urllib.parse import quote

from diskimage_validator.checks import CHECKS
from diskimage_validator.model import Finding, Report, Result, Severity, Status
from diskimage_validator.printable import printable
from diskimage_validator.reports.grouping import waiver_of
from diskimage_validator.reports.verdict import VERDICTS

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS: Final = {Severity.CRITICAL: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
KINDS: Final = {Status.PASS: "pass", Status.FAIL: "fail", Status.SKIP: "notApplicable", Status.ERROR: "open"}
BASE: Final = "IMAGE"


def write(report: Report, stream: TextIO, threshold: Severity) -> None:
    """Write one SARIF log with one run."""
    rules = list(dict.fromkeys(result.check for result in report.results))
    run = {
        "tool": {
            "driver": {
                "name": "diskimage-validator",
                "version": report.tool_version,
                "rules": [_rule(check) for check in rules],
            }
        },
        "invocations": [_invocation(report, rules, threshold)],
        "artifacts": [_image(report)],
        "originalUriBaseIds": {BASE: {"description": {"text": "The root of the image's file system."}}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(report, result, rules) for result in report.results if result.asked],
        "properties": {
            "target": {name: value for name, value in report.target.as_dict().items() if value is not None},
            "policy": {"name": report.policy_name, "sha256": report.policy_digest},
            "engine": report.engine,
            "threshold": str(threshold),
            "waivers": [waiver.as_dict() for waiver in report.waivers],
        },
    }
    json.dump({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, stream, indent=2)
    stream.write("\n")


def _rule(check: str) -> dict[str, Any]:
    """Return the reportingDescriptor of a check (3.49); only its id if this release has no such check."""
    if check not in CHECKS:
        return {"id": check}
    known = CHECKS[check]
    summary = known.explanation.partition("\n\n")[0].replace("\n", " ")
    return {
        "id": check,
        "name": "".join(word.capitalize() for word in check.split("-")),
        "shortDescription": _message(known.title),
        "fullDescription": _message(summary),
        "help": _message(known.explanation),
        "defaultConfiguration": {"level": LEVELS[known.severity]},
    }


def _invocation(report: Report, rules: list[str], threshold: Severity) -> dict[str, Any]:
    """Return the invocation (3.20): whether the run could tell everything, its exit status, what was not asked for."""
    status = report.exit_status(threshold)
    errors = [result for result in report.results if result.status is Status.ERROR]
    not_asked = [result.check for result in report.results if not result.asked]
    notes = [{"level": "note", "message": _message(printable(note))} for note in report.notes]
    return {
        "executionSuccessful": not errors,
        "exitCode": status,
        "exitCodeDescription": VERDICTS[status].word.lower(),
        "startTimeUtc": report.started.replace("+00:00", "Z"),
        "toolExecutionNotifications": [*notes, *(_notification(error, rules) for error in errors)],
        "ruleConfigurationOverrides": [
            {"descriptor": _reference(check, rules), "configuration": {"enabled": False}} for check in not_asked
        ],
    }


def _notification(error: Result, rules: list[str]) -> dict[str, Any]:
    """Return the notification (3.58) of what a check could not tell."""
    return {"level": "error", "message": _text(error.finding), "associatedRule": _reference(error.check, rules)}


def _reference(check: str, rules: list[str]) -> dict[str, Any]:
    return {"id": check, "index": rules.index(check)}


def _image(report: Report) -> dict[str, Any]:
    """Return the artifact (3.24) that was looked at."""
    target = report.target
    artifact: dict[str, Any] = {"location": {"uri": _uri(target.name)}, "roles": ["analysisTarget"]}
    if target.file_size is not None:
        artifact["length"] = target.file_size
    if target.sha256:
        artifact["hashes"] = {"sha-256": target.sha256}
    return artifact


def _result(report: Report, result: Result, rules: list[str]) -> dict[str, Any]:
    """Return the result (3.27). What is no failure has the level ``none`` (3.27.10)."""
    finding = result.finding
    failed = result.status is Status.FAIL
    details = {"expected": finding.expected, "actual": finding.actual, "hint": finding.hint}
    return {
        "ruleId": result.check,
        "ruleIndex": rules.index(result.check),
        "kind": KINDS[result.status],
        "level": LEVELS[result.severity] if failed else "none",
        "message": _text(finding),
        "locations": [{"physicalLocation": _location(report, finding)}],
        "partialFingerprints": {"checkAndSubject/v1": _fingerprint(result)},
        "suppressions": [_suppression(report, result)] if result.waived else [],
        "properties": {name: printable(value) for name, value in details.items() if value},
    }


def _suppression(report: Report, result: Result) -> dict[str, Any]:
    """Return the suppression (3.35) that a waiver is."""
    waiver = waiver_of(report, result)
    suppression: dict[str, Any] = {"kind": "external", "status": "accepted", "justification": result.waived}
    return {**suppression, "properties": {"expires": waiver.expires.isoformat()}} if waiver else suppression


def _location(report: Report, finding: Finding) -> dict[str, Any]:
    """Return where a finding is (3.29): at a file in the image, or at the image itself."""
    if not finding.path:
        return {"artifactLocation": {"uri": _uri(report.target.name), "index": 0}}
    artifact = {"uri": _uri(finding.path.lstrip("/")), "uriBaseId": BASE}
    return {"artifactLocation": artifact, **({"region": {"startLine": finding.line}} if finding.line else {})}


def _uri(path: str) -> str:
    return quote(path or ".", errors="backslashreplace")


def _fingerprint(result: Result) -> str:
    """Return what is the same for the same finding in the next image (3.27.17): neither line nor message is in it."""
    identity = f"{result.check}\n{result.finding.subject}\n{result.finding.path}"
    return hashlib.sha256(identity.encode("utf-8", "backslashreplace")).hexdigest()


def _text(finding: Finding) -> dict[str, str]:
    return _message(printable(f"{finding.subject}: {finding.message}"))


def _message(text: str) -> dict[str, str]:
    """Return a plain text message (3.11.3). Nothing in it can become a placeholder (3.11.5) or a link (3.11.6)."""
    return {"text": text.replace("{", "{{").replace("}", "}}").replace("](", "\\](")}
