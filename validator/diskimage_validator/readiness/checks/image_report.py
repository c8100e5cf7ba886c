"""Every node image has a report that is about this very file, fresh, and says that it passed.

A report is bound to an image by its sha256: one of the day before yesterday is about another image of the same name.
Where the ``factory.yaml`` names a policy, the report has to be about that policy, by its digest; the CAs of the bundle
are a part of it, as those of ``validate --ca`` are.

.. rubric:: Example

With this factory::

    node_images:
      - {image: airgap-node.qcow2, report: airgap-node.d/report.json, max_age_days: 7}

the line passes if the report names the image's sha256, says that it passed, and is of this week.

It fails if the image was built anew since, or was written to, or if the report is a month old.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.images import AskNodeImage, AskReport, StoredReport
from diskimage_validator.readiness.rules.node_images import NodeImage

ID: Final = "image-report"
TITLE: Final = "Reports of node images"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Node image"


def asks(factory: Factory) -> Iterator[AskNodeImage | AskReport]:
    """Yield two questions per image with a report."""
    for node in factory.rules.node_images:
        if node.report:
            yield from _questions(factory, node)


def _questions(factory: Factory, node: NodeImage) -> tuple[AskNodeImage, AskReport]:
    image = AskNodeImage(str(factory.folder / node.image), node.policy or "")
    return image, AskReport(str(factory.folder / str(node.report)))


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every image."""
    for node in question.factory.rules.node_images:
        if node.report:
            image, report = _questions(question.factory, node)
            facts, evidence = question.seen[image].fact, question.seen[report]
            expected = f"about this image, passed, not older than {node.max_age_days} days"
            if isinstance(facts, Unreadable):
                yield cannot_tell(question.seen[image], image.path, expected, facts)
            elif isinstance(evidence.fact, Unreadable):
                yield cannot_tell(evidence, image.path, expected, evidence.fact)
            else:
                faults = list(_faults(question, node, evidence.fact, facts.target.sha256 or ""))
                yield _finding(evidence, evidence.fact, image.path, expected, faults)


def _faults(question: Question, node: NodeImage, report: StoredReport, sha256: str) -> Iterator[str]:
    if report.sha256 != sha256:
        yield f"it is about another image, with the sha256 {report.sha256}, and not {sha256}"
    if report.exit_status:
        yield f"it says that the image did not pass (exit status {report.exit_status})"
    age = question.now - report.started
    if age > timedelta(node.max_age_days):
        yield f"it is {age.days} days old"
    elif age < -timedelta(days=1):
        yield f"it is of the future, {report.started:%Y-%m-%d}"
    if node.policy and report.policy_digest != question.factory.policies[node.policy].digest:
        yield f"it is about another policy than {node.policy} as it is now"


def _finding(
    evidence: Evidence[StoredReport], report: StoredReport, subject: str, expected: str, faults: list[str]
) -> Finding:
    actual = f"of {report.started:%Y-%m-%d}, exit status {report.exit_status}"
    if faults:
        hint = "validate the image anew, with --report json=FILE"
        return tell(evidence, subject, Status.FAIL, f"the report: {'; '.join(faults)}", expected, actual, hint)
    return tell(evidence, subject, Status.PASS, f"the report is about this image, {actual}", expected, actual)
