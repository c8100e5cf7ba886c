"""The JSON report read back: for what is made of it later, e.g. other reports or a Statement about the image."""

import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from diskimage_validator.documents import Sha256, parse_document
from diskimage_validator.errors import UsageError
from diskimage_validator.model import SCHEMA_VERSION, Finding, Report, Result, Severity, Status, TargetInfo, Waiver

HINT: Final = "write one with 'diskimage-validator validate IMAGE --report json=FILE'"


def _without_surrogates(value: object) -> object:
    """JSON can hold half a character, e.g. of a file name that is not UTF-8; nothing else can."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _moment(text: str) -> str:
    if datetime.datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("the time has no zone")
    return text


Text = Annotated[str, BeforeValidator(_without_surrogates)]
Size = Annotated[int, Field(ge=0)]


class _Tool(BaseModel):
    version: Text


class _Target(BaseModel):
    name: Text
    kind: Text
    format: Text | None
    sha256: Sha256 | None
    file_size: Size | None
    virtual_size: Size | None


class _Policy(BaseModel):
    name: Text
    sha256: Sha256


class _Result(BaseModel):
    check: Text
    severity: Severity
    subject: Text
    status: Status
    message: Text
    expected: Text
    actual: Text
    hint: Text
    path: Text
    line: Size
    waived: Text
    tried: Text = ""
    when: Text = ""


class _Waiver(BaseModel):
    check: Text
    subject: Text
    reason: Text
    expires: datetime.date
    state: Literal["active", "expired", "unused"]
    findings: Size


class _Verdict(BaseModel):
    threshold: Severity
    exit_status: Literal[0, 1, 2, 3]


class _Document(BaseModel):
    version: int = Field(alias="schema")
    tool: _Tool
    target: _Target
    policy: _Policy
    engine: Text
    started: Annotated[str, AfterValidator(_moment)]
    duration: float = Field(alias="duration_seconds", ge=0, allow_inf_nan=False)
    waivers: list[_Waiver]
    notes: list[Text]
    results: list[_Result]
    verdict: _Verdict


def read_report(data: bytes, where: str) -> tuple[Report, Severity]:
    """Return the report that ``data`` is, and the threshold of its verdict; ``where`` is its file, for messages.

    Raises UsageError if ``data`` is no report of this version, or its verdict does not follow from its results.
    """
    try:
        document = parse_document(data, _Document)
    except ValueError as error:
        raise UsageError(f"{where} is no JSON report: {error}", HINT) from error
    if document.version != SCHEMA_VERSION:
        raise UsageError(f"{where} is a report of version {document.version}, not {SCHEMA_VERSION}", HINT)
    report = Report(
        target=TargetInfo(**document.target.__dict__),
        policy_name=document.policy.name,
        policy_digest=document.policy.sha256,
        engine=document.engine,
        tool_version=document.tool.version,
        started=document.started,
        duration=document.duration,
        results=tuple(map(_result, document.results)),
        notes=tuple(document.notes),
        waivers=tuple(Waiver(**waiver.__dict__) for waiver in document.waivers),
    )
    if report.exit_status(document.verdict.threshold) != document.verdict.exit_status:
        raise UsageError(f"{where} contradicts itself: its verdict does not follow from its results", HINT)
    return report, document.verdict.threshold


def _result(found: _Result) -> Result:
    finding = Finding(
        subject=found.subject,
        status=found.status,
        message=found.message,
        expected=found.expected,
        actual=found.actual,
        hint=found.hint,
        path=found.path,
        line=found.line,
        tried=found.tried,
        when=found.when,
    )
    return Result(found.check, found.severity, finding, found.waived)
