"""Every member of a ZooKeeper ensemble serves: it tells its state over TLS, and opens and closes a session.

Each member is asked by itself, for a client that knows all of them hides the broken one until the next one breaks,
too. Name and chain of its certificate are verified against the bundle, and it has to accept the client certificate
that Zuul and Nodepool show. With ``chroot`` that node is read in the session, with the credentials of ``digest`` if
there are any: ZooKeeper refuses wrong ones nowhere but there. Nothing is ever written.

.. rubric:: Example

With this factory::

    services:
      zookeeper:
        - name: zuul
          members: [zk1.internal, zk2.internal, zk3.internal]
          client: {certificate: client.pem, key: "file:/etc/factory/client.key"}

the line passes if each of the three, on port 2281, opens a session for this certificate.

It fails if one of them is not there, presents a certificate for another name or of another CA, refuses the client's, or
has no quorum and so opens no session.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.checks.services import REMEDIES
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.zookeeper import AskMember, Member
from diskimage_validator.readiness.rules.services.zookeeper import EnsembleRules

ID: Final = "zookeeper-members"
TITLE: Final = "ZooKeeper sessions"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Core services"

_EXPECTED: Final = "serves, and opens and closes a session over TLS"


def asks(factory: Factory) -> Iterator[AskMember]:
    """Yield a question per member."""
    for ensemble in factory.rules.services.zookeeper:
        yield from members(ensemble)


def members(ensemble: EnsembleRules) -> Iterator[AskMember]:
    """Yield the questions to the members of one ensemble."""
    client = ensemble.client
    for address in dict.fromkeys(ensemble.addresses):
        yield AskMember(address, client.certificate, client.key, ensemble.digest, ensemble.chroot or "")


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every member."""
    for ensemble in question.factory.rules.services.zookeeper:
        for ask in members(ensemble):
            yield _judge(f"{ensemble.name}: {ask.address}", question.seen[ask])


def _judge(subject: str, evidence: Evidence[Member]) -> Finding:
    fact = evidence.fact
    if isinstance(fact, Unreadable):
        return cannot_tell(evidence, subject, _EXPECTED, fact)
    if trouble := fact.trouble:
        return tell(evidence, subject, Status.FAIL, trouble.text, _EXPECTED, "no state", REMEDIES[trouble.kind])
    state = _state(fact)
    if trouble := fact.sessionless:
        message = f"no proper session: {trouble.text}"
        return tell(evidence, subject, Status.FAIL, message, _EXPECTED, state, REMEDIES[trouble.kind])
    message = f"{state}; session opened and closed in {fact.session:.0f} ms"
    return tell(evidence, subject, Status.PASS, message, _EXPECTED, state)


def _state(fact: Member) -> str:
    status = fact.status
    if status is None:
        return "no state"
    return (
        f"{status.mode}, version {status.version}, zxid {status.zxid:#x}, latency {status.latency} ms,"
        f" {status.connections} connections, {fact.protocol}"
    )
