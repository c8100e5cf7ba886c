"""An in-toto Statement about an image: its sha256, the policy it was held against, and what came of that.

The predicate is in-toto's "test result": ``result``, the policy by digest as ``configuration``, and the checks by what
became of them. What that has no field for is in the extension ``diskimageValidator``: ``version``, ``engine``,
``started`` (UTC, ISO 8601) and ``threshold``.

Sources: https://github.com/in-toto/attestation spec/v1/statement.md, spec/v1/README.md (a consumer ignores fields that
it does not know), spec/predicates/test-result.md.
"""

import datetime
import json
from pathlib import PurePath
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, Field

from diskimage_validator.documents import Sha256, parse_document
from diskimage_validator.errors import UsageError
from diskimage_validator.frozen import dataclass
from diskimage_validator.model import Report, Result, Severity, Status

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
"""Media type of a Statement in an envelope. Source: in-toto attestation, spec/v1/envelope.md."""

Outcome = Literal["PASSED", "WARNED", "FAILED"]
"""WARNED: it passed in spite of failures, which are waived or below the threshold."""

_OUTCOMES: Final[tuple[Outcome, ...]] = ("PASSED", "WARNED", "FAILED")


def _with_zone(time: datetime.datetime) -> datetime.datetime:
    if time.tzinfo is None:
        raise ValueError("the time has no zone")
    return time


Moment = Annotated[datetime.datetime, Field(strict=False), AfterValidator(_with_zone)]


@dataclass(frozen=True)
class Statement:
    """What is said of one image. ``passed``, ``warned`` and ``failed`` are ids of checks; ``started`` has a zone."""

    image: str
    sha256: str
    result: Outcome
    policy: str
    policy_sha256: str
    version: str
    engine: str
    started: datetime.datetime
    threshold: str
    passed: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the Statement with plain JSON types."""
        return {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": self.image, "digest": {"sha256": self.sha256}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "result": self.result,
                "configuration": [{"name": self.policy, "digest": {"sha256": self.policy_sha256}}],
                "passedTests": list(self.passed),
                "warnedTests": list(self.warned),
                "failedTests": list(self.failed),
                "diskimageValidator": {
                    "version": self.version,
                    "engine": self.engine,
                    "started": self.started.isoformat(),
                    "threshold": self.threshold,
                },
            },
        }

    def encoded(self) -> bytes:
        """Return the Statement as it is signed and written: JSON in ASCII."""
        return json.dumps(self.as_dict(), indent=2).encode() + b"\n"


def statement_of(report: Report, threshold: Severity, name: str = "") -> Statement:
    """Return the Statement that follows from ``report``.

    ``name`` is the image's name in it; by default that of its file, without folders. Raises UsageError if the report is
    not about the bytes of an image.
    """
    if report.target.sha256 is None:
        hint = "validate an image file"
        raise UsageError(f"the report is about {report.target.kind}, which has no sha256", hint)
    outcomes = {outcome: _checks(report, threshold, outcome) for outcome in _OUTCOMES}
    return Statement(
        image=name or PurePath(report.target.name).name,
        sha256=report.target.sha256,
        result="FAILED" if report.exit_status(threshold) else "WARNED" if outcomes["WARNED"] else "PASSED",
        policy=report.policy_name,
        policy_sha256=report.policy_digest,
        version=report.tool_version,
        engine=report.engine,
        started=datetime.datetime.fromisoformat(report.started),
        threshold=str(threshold),
        passed=outcomes["PASSED"],
        warned=outcomes["WARNED"],
        failed=outcomes["FAILED"],
    )


def _checks(report: Report, threshold: Severity, wanted: Outcome) -> tuple[str, ...]:
    """Return the checks whose worst result is ``wanted``, in the report's order. A skipped result is none."""
    worst: dict[str, Outcome] = {}
    for result in report.results:
        if result.status is not Status.SKIP:
            outcome = _outcome(result, threshold)
            worst[result.check] = max(worst.get(result.check, outcome), outcome, key=_OUTCOMES.index)
    return tuple(check for check, outcome in worst.items() if outcome == wanted)


def _outcome(result: Result, threshold: Severity) -> Outcome:
    if result.status is Status.PASS:
        return "PASSED"
    if result.condemns(threshold):
        return "FAILED"
    return "WARNED"


class _Digests(BaseModel):
    sha256: Sha256


class _Resource(BaseModel):
    name: str
    digest: _Digests


class _Extension(BaseModel):
    version: str
    engine: str
    started: Moment
    threshold: str


class _Predicate(BaseModel):
    result: Outcome
    configuration: list[_Resource] = Field(min_length=1, max_length=1)
    passed: list[str] = Field(alias="passedTests", default=[])
    warned: list[str] = Field(alias="warnedTests", default=[])
    failed: list[str] = Field(alias="failedTests", default=[])
    extension: _Extension = Field(alias="diskimageValidator")


class _Document(BaseModel):
    type: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: list[_Resource] = Field(min_length=1, max_length=1)
    predicate_type: Literal["https://in-toto.io/attestation/test-result/v0.1"] = Field(alias="predicateType")
    predicate: _Predicate


def parse_statement(data: bytes) -> Statement:
    """Return the Statement that ``data``, JSON, is. Raises ValueError with a sentence if it is none of ours."""
    document = parse_document(data, _Document)
    (subject,), predicate = document.subject, document.predicate
    (policy,), extension = predicate.configuration, predicate.extension
    return Statement(
        image=subject.name,
        sha256=subject.digest.sha256,
        result=predicate.result,
        policy=policy.name,
        policy_sha256=policy.digest.sha256,
        version=extension.version,
        engine=extension.engine,
        started=extension.started,
        threshold=extension.threshold,
        passed=tuple(predicate.passed),
        warned=tuple(predicate.warned),
        failed=tuple(predicate.failed),
    )
