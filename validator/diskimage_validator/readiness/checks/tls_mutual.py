"""An endpoint with ``client`` accepts that client's certificate, and refuses a client that has none.

Some servers refuse in the handshake, with an alert (Go, Java); many web servers end it well, and answer the first
request with the status 400 or 403. So a connection is made with the certificate and another without, each verified
against the bundle, and where ``http`` says so (the default) ``HEAD /`` is sent. 400, 401, 403, 495 and 496 are
refusals.

.. rubric:: Example

With this factory::

    endpoints:
      - name: logs.internal
        client: {certificate: client.pem, key: "file:/etc/factory/client.key"}

the line passes if the log server answers with this certificate, and refuses without.

It fails if the certificate is refused, because it has expired, say, or if the server does without one.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.checks.servers import places
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.tls import AskMutual, Mutual, place

ID: Final = "tls-mutual"
TITLE: Final = "Mutual TLS"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Certificates"

_EXPECTED: Final = "accepts the client's certificate, and refuses without one"


def asks(factory: Factory) -> Iterator[AskMutual]:
    """Yield a question per endpoint with a client, and IP address."""
    for endpoint in factory.tls_endpoints:
        if client := endpoint.client:
            for ip in places(endpoint):
                yield AskMutual(endpoint.address, ip, client.certificate, client.key, endpoint.http)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every question."""
    for ask in asks(question.factory):
        yield _judge(place(ask.address, ask.ip), question.seen[ask])


def _judge(subject: str, evidence: Evidence[Mutual]) -> Finding:
    fact = evidence.fact
    if isinstance(fact, Unreadable):
        return cannot_tell(evidence, subject, _EXPECTED, fact)
    actual = f"with: {fact.known.detail}; without: {fact.stranger.detail}"
    for knock in (fact.known, fact.stranger):
        if knock.outcome == "failed":
            message, hint = f"could not tell: {knock.detail}", "see what tls-chain says of this endpoint"
            return tell(evidence, subject, Status.ERROR, message, _EXPECTED, actual, hint)
    faults = []
    if fact.known.outcome == "refused":
        faults.append(
            (f"refuses the client's certificate: {fact.known.detail}", "renew it, or add its CA to the server")
        )
    if fact.stranger.outcome == "accepted":
        faults.append((f"needs no certificate: {fact.stranger.detail}", "make the server require one"))
    if faults:
        message = "; ".join(message for message, _ in faults)
        return tell(evidence, subject, Status.FAIL, message, _EXPECTED, actual, faults[0][1])
    return tell(evidence, subject, Status.PASS, actual, _EXPECTED, actual)
