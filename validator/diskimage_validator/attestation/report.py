"""From the JSON report of a validation to a Statement. The verdict is made anew, from the results in the report."""

from pathlib import PurePath
from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from diskimage_validator.attestation.documents import parse_document
from diskimage_validator.attestation.statement import Moment, Outcome, Sha256, Statement
from diskimage_validator.errors import UsageError
from diskimage_validator.model import SCHEMA_VERSION, Finding, Report, Result, Severity, Status, TargetInfo

HINT: Final = "write one with 'diskimage-validator validate IMAGE --report json=FILE'"


class _Tool(BaseModel):
    version: str


class _Target(BaseModel):
    name: str
    kind: str
    sha256: Sha256 | None


class _Policy(BaseModel):
    name: str
    sha256: Sha256


class _Result(BaseModel):
    check: str
    severity: Severity
    status: Status
    waived: str


class _Verdict(BaseModel):
    threshold: Severity
    exit_status: Literal[0, 1, 2, 3]


class _Document(BaseModel):
    version: int = Field(alias="schema")
    tool: _Tool
    target: _Target
    policy: _Policy
    engine: str
    started: Moment
    results: list[_Result]
    verdict: _Verdict


def statement_of(data: bytes, where: str, name: str = "") -> Statement:
    """Return the Statement that follows from ``data``, a JSON report; ``where`` is its file, for messages.

    ``name`` is the image's name in it; by default that of its file, without folders. Raises UsageError if ``data`` is
    no report of this version about the bytes of an image, or contradicts itself.
    """
    try:
        document = parse_document(data, _Document)
    except ValueError as error:
        raise UsageError(f"{where} is no JSON report: {error}", HINT) from error
    if document.version != SCHEMA_VERSION:
        raise UsageError(f"{where} is a report of version {document.version}, not {SCHEMA_VERSION}", HINT)
    if document.target.sha256 is None:
        raise UsageError(f"{where} is about {document.target.kind}, which has no sha256", "validate an image file")
    report = _report(document)
    threshold = document.verdict.threshold
    status = report.exit_status(threshold)
    if status != document.verdict.exit_status:
        raise UsageError(f"{where} contradicts itself: its verdict does not follow from its results", HINT)
    by_outcome = _by_outcome(report, threshold)
    return Statement(
        image=name or PurePath(document.target.name).name,
        sha256=document.target.sha256,
        result="FAILED" if status else "WARNED" if by_outcome["WARNED"] else "PASSED",
        policy=document.policy.name,
        policy_sha256=document.policy.sha256,
        version=document.tool.version,
        engine=document.engine,
        started=document.started,
        threshold=str(threshold),
        passed=by_outcome["PASSED"],
        warned=by_outcome["WARNED"],
        failed=by_outcome["FAILED"],
    )


def _report(document: _Document) -> Report:
    """Return as much of the report as a verdict needs."""
    results = (Result(r.check, r.severity, Finding("", r.status, ""), r.waived) for r in document.results)
    unused: dict[str, Any] = {"tool_version": "", "started": "", "duration": 0.0, "engine": ""}
    return Report(TargetInfo("", ""), "", "", results=tuple(results), **unused)


def _by_outcome(report: Report, threshold: Severity) -> dict[Outcome, tuple[str, ...]]:
    """Return the checks by the worst of their results, in the report's order. Skipped ones are in none."""
    outcomes: dict[str, list[Outcome]] = {}
    for result in report.results:
        if result.status is not Status.SKIP:
            outcomes.setdefault(result.check, []).append(_outcome(result, threshold))
    order: tuple[Outcome, ...] = ("PASSED", "WARNED", "FAILED")
    return {
        outcome: tuple(check for check, found in outcomes.items() if max(found, key=order.index) == outcome)
        for outcome in order
    }


def _outcome(result: Result, threshold: Severity) -> Outcome:
    if result.status is Status.PASS:
        return "PASSED"
    if result.status is Status.ERROR or (result.counts and result.severity.rank >= threshold.rank):
        return "FAILED"
    return "WARNED"
