"""What a validation says: statuses, findings, results and the report that holds them.

Everything is frozen and turns into plain JSON types with ``as_dict()``. ``SCHEMA_VERSION`` changes whenever a
reader of the JSON report would have to change.
"""

import datetime
from dataclasses import field
from enum import StrEnum
from typing import Any, Final

from diskimage_validator.frozen import dataclass

SCHEMA_VERSION = 2
DISTRIBUTION = "airgap-image-factory"
"""Name of the distribution on a package index; its version is the tool's."""
NOT_ASKED = "the policy does not ask for it"
"""Message of the one result of a check that did not run because the policy has no such rule."""


class Status(StrEnum):
    """Outcome of one question. ERROR means "could not tell", which is neither a pass nor a fail."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    SKIP = "skip"
    ERROR = "error"


class Severity(StrEnum):
    """How bad a failure is, in ascending order. The exit status looks at a threshold."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Position in ascending order: 0 for INFO."""
        return list(Severity).index(self)


@dataclass(frozen=True)
class Finding:
    """What a check says about one subject.

    ``subject``: what was asked about, e.g. ``skopeo (>= 1.9)``; ``expected`` and ``actual``: for a person;
    ``message``: one sentence; ``hint``: what to do; ``path``: file inside the target that shows it; ``line``: its line
    there, from 1, or 0. Of what was asked over a network, ``tried`` says what that was, and ``when`` the moment (UTC,
    ISO 8601).
    """

    subject: str
    status: Status
    message: str
    expected: str = ""
    actual: str = ""
    hint: str = ""
    path: str = ""
    line: int = 0
    tried: str = ""
    when: str = ""


@dataclass(frozen=True)
class Waiver:
    """A failure that the policy accepts for a while, and what became of that in this run.

    ``check`` is an id, ``subject`` a pattern of fnmatch(3); ``expires`` is the first day on which it no longer works.
    ``state`` is ``active``, ``expired``, or ``unused``: active, but nothing failed that it covers. ``findings`` is the
    number of failures that it covers; those of an expired waiver count as any others do.
    """

    check: str
    subject: str
    reason: str
    expires: datetime.date
    state: str
    findings: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {**self.__dict__, "expires": self.expires.isoformat()}


@dataclass(frozen=True)
class Result:
    """A finding together with the check that made it and the severity the policy gave that check.

    ``waived`` is the reason of the active waiver that covers a failure, else empty.
    """

    check: str
    severity: Severity
    finding: Finding
    waived: str = ""

    @property
    def status(self) -> Status:
        """The finding's status."""
        return self.finding.status

    @property
    def asked(self) -> bool:
        """Whether the policy asks for the check at all."""
        return not (self.status is Status.SKIP and self.finding.message == NOT_ASKED)

    @property
    def counts(self) -> bool:
        """Whether this is a failure that nobody waived."""
        return self.status is Status.FAIL and not self.waived

    def condemns(self, threshold: Severity) -> bool:
        """Whether the target does not pass because of this: an error, or a failure that counts, at ``threshold``."""
        return self.status is Status.ERROR or (self.counts and self.severity.rank >= threshold.rank)

    def as_dict(self) -> dict[str, Any]:
        """Return the result with plain JSON types, flat."""
        finding = self.finding
        return {
            "check": self.check,
            "severity": str(self.severity),
            "subject": finding.subject,
            "status": str(finding.status),
            "message": finding.message,
            "expected": finding.expected,
            "actual": finding.actual,
            "hint": finding.hint,
            "path": finding.path,
            "line": finding.line,
            "waived": self.waived,
            **({"tried": finding.tried, "when": finding.when} if finding.tried else {}),
        }


FACTORY: Final = "factory"
"""The kind of a target that is no image: what a ``factory.yaml`` says is the target and the policy in one."""


@dataclass(frozen=True)
class TargetInfo:
    """Identity of what was looked at. Sizes are bytes; fields that do not apply to a target are None."""

    name: str
    kind: str
    format: str | None = None
    sha256: str | None = None
    file_size: int | None = None
    virtual_size: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class Report:
    """Everything about one validation.

    ``policy_digest`` is the sha256 of the resolved policy's canonical JSON; ``started`` is UTC, ISO 8601;
    ``duration`` is seconds; ``notes`` are remarks of the engine, e.g. that it fell back to TCG.
    """

    target: TargetInfo
    policy_name: str
    policy_digest: str
    engine: str
    tool_version: str
    started: str
    duration: float
    results: tuple[Result, ...]
    notes: tuple[str, ...] = field(default=())
    waivers: tuple[Waiver, ...] = field(default=())

    def count(self, status: Status) -> int:
        """Number of results with ``status``."""
        return sum(result.status is status for result in self.results)

    def exit_status(self, threshold: Severity = Severity.WARNING) -> int:
        """Exit status for this report.

        3 if any result is an ERROR; 2 if nothing was checked (no result, or only SKIP); 1 if a FAIL that is not waived
        is at or above ``threshold``; otherwise 0.
        """
        if self.count(Status.ERROR):
            return 3
        if all(result.status is Status.SKIP for result in self.results):
            return 2
        return 1 if any(result.condemns(threshold) for result in self.results) else 0

    def as_dict(self) -> dict[str, Any]:
        """Return the whole report with plain JSON types."""
        return {
            "schema": SCHEMA_VERSION,
            "tool": {"name": "diskimage-validator", "version": self.tool_version},
            "target": self.target.as_dict(),
            "policy": {"name": self.policy_name, "sha256": self.policy_digest},
            "engine": self.engine,
            "started": self.started,
            "duration_seconds": round(self.duration, 3),
            "summary": {str(status): self.count(status) for status in Status},
            "waived": sum(bool(result.waived) for result in self.results),
            "waivers": [waiver.as_dict() for waiver in self.waivers],
            "notes": list(self.notes),
            "results": [result.as_dict() for result in self.results],
        }
