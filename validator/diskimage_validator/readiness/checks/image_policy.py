"""Every node image passes its policy now.

The image is read as ``validate`` reads it, without being started, with the CAs of ``certificates.bundle`` as those that
it has to trust. The finding names what fails; ``validate`` tells it all.

.. rubric:: Example

With this factory::

    node_images:
      - {image: airgap-node.qcow2, policy: container-node}

the line passes if ``diskimage-validator validate airgap-node.qcow2 --policy container-node`` does.

It fails if that fails. An image that cannot be read is neither: ERROR.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.judging import run_checks
from diskimage_validator.model import Finding, Result, Severity, Status
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.images import AskNodeImage

ID: Final = "image-policy"
TITLE: Final = "Node images that pass their policies"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Node image"

MAX_SHOWN: Final = 5


def asks(factory: Factory) -> Iterator[AskNodeImage]:
    """Yield a question per image with a policy."""
    for node in factory.rules.node_images:
        if node.policy:
            yield AskNodeImage(str(factory.folder / node.image), node.policy)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every image and policy."""
    for ask in dict.fromkeys(asks(question.factory)):
        evidence, expected = question.seen[ask], f"passes {ask.policy}"
        if isinstance(evidence.fact, Unreadable):
            yield cannot_tell(evidence, ask.path, expected, evidence.fact)
            continue
        report = run_checks(question.factory.policies[ask.policy], evidence.fact, now=question.now)
        status = report.exit_status()
        passed = f"{report.count(Status.PASS)} passed"
        if status == 0:
            yield tell(evidence, ask.path, Status.PASS, f"passes {ask.policy}: {passed}", expected, passed)
            continue
        bad = [result for result in report.results if result.counts or result.status is Status.ERROR]
        worst = Status.FAIL if any(result.counts for result in bad) else Status.ERROR
        shown = "; ".join(map(_line, bad[:MAX_SHOWN])) + (f"; and {len(bad) - MAX_SHOWN} more" * (len(bad) > MAX_SHOWN))
        hint = f"diskimage-validator validate {ask.path} --policy {ask.policy}"
        message = f"does not pass {ask.policy}: {shown or 'nothing was checked'}"
        yield tell(evidence, ask.path, worst, message, expected, f"{passed}, {len(bad)} not", hint)


def _line(result: Result) -> str:
    return f"{result.check}: {result.finding.subject}: {result.finding.message}"
