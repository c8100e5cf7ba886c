"""The node images have the very CAs of the trusted bundle, by fingerprint.

The bundle of the ``factory.yaml`` and the one that was baked are two files; a CA that was renewed in the one is not
yet in the other. The image's generated bundle is read, without starting the image; see ``ca-trusted``.

.. rubric:: Example

With this factory::

    certificates:
      bundle: internal-ca.pem
      images: [airgap-node.qcow2]

the line passes if the image's generated bundle holds every certificate of ``internal-ca.pem``.

It fails if the image has that CA's predecessor of the same name.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from diskimage_validator.checks import ca_trusted
from diskimage_validator.checks.base import Question as ImageQuestion
from diskimage_validator.facts import Facts
from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity
from diskimage_validator.policy_model import Policy, Rules
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import Question, cannot_tell
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.images import AskImage

ID: Final = "tls-baked"
TITLE: Final = "The bundle in node images"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Certificates"


def asks(factory: Factory) -> Iterator[AskImage]:
    """Yield a question per image."""
    return map(AskImage, dict.fromkeys(factory.images()))


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every image and CA."""
    policy = Policy(Rules(version=1, name=question.factory.rules.name), question.factory.bundle)
    for ask in asks(question.factory):
        evidence = question.seen[ask]
        if isinstance(evidence.fact, Unreadable):
            yield cannot_tell(evidence, ask.path, "the CAs of the bundle", evidence.fact)
        else:
            asked = ImageQuestion(evidence.fact, policy, question.now)
            yield from (in_image(finding, evidence) for finding in ca_trusted.check(asked))


def in_image(finding: Finding, evidence: Evidence[Facts]) -> Finding:
    """Return what a check of images says, as said of the one that ``evidence`` is about."""
    subject = f"{evidence.ask.target}: {finding.subject}"
    return replace(finding, subject=subject, tried=evidence.ask.tried, when=evidence.when)
