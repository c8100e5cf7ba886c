"""The node images' own trust stores accept what the endpoints present now.

That a CA is in an image is half of the proof: see ``ca-endpoint``, which this asks with the chains that were fetched a
moment ago instead of with files.

.. rubric:: Example

With this factory::

    endpoints:
      - {name: registry.internal, port: 5000}
    certificates:
      bundle: internal-ca.pem
      images: [airgap-node.qcow2]

the line passes if a program in the image would accept the registry's certificate.

It fails if the registry has a new certificate, of a CA that the image was not given yet.
"""

from collections.abc import Iterator
from typing import Any, Final

from diskimage_validator.checks import ca_endpoint
from diskimage_validator.checks.base import Question as ImageQuestion
from diskimage_validator.endpoints import Endpoint
from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity
from diskimage_validator.policy_model import Policy, Rules
from diskimage_validator.readiness.asking import Ask
from diskimage_validator.readiness.checks import tls_baked
from diskimage_validator.readiness.checks.base import Question, cannot_tell
from diskimage_validator.readiness.checks.servers import subject_of, tls_servers, without_chain
from diskimage_validator.readiness.factory import Factory

ID: Final = "tls-image"
TITLE: Final = "Endpoints that node images accept"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Certificates"


def asks(factory: Factory) -> Iterator[Ask[Any]]:
    """Yield a question per image, and, if there is any, per endpoint and IP address."""
    if images := list(tls_baked.asks(factory)):
        yield from images
        yield from tls_servers(factory)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every image and server."""
    rules = Rules(version=1, name=question.factory.rules.name)
    for image in tls_baked.asks(question.factory):
        evidence = question.seen[image]
        if isinstance(evidence.fact, Unreadable):
            yield cannot_tell(evidence, image.path, "accepts every endpoint", evidence.fact)
            continue
        for server in tls_servers(question.factory):
            subject, presented = subject_of(server), question.seen[server]
            absent = without_chain(presented, f"{image.path}: {subject}", "accepted by the image")
            if absent:
                yield absent
            elif not isinstance(presented.fact, Unreadable):
                endpoint = Endpoint(server.address, presented.fact.chain, source=f"what {subject} presents")
                asked = ImageQuestion(evidence.fact, Policy(rules, endpoints=(endpoint,)), question.now)
                for finding in ca_endpoint.check(asked):
                    yield tls_baked.in_image(finding, evidence)
