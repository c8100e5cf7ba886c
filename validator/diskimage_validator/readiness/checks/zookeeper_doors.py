"""A ZooKeeper ensemble answers nobody who comes without TLS, or without a client's certificate.

Whoever reaches ZooKeeper reads and changes what Zuul and Nodepool know, secrets of jobs among it, so
``ssl.clientAuth=need`` and no ``clientPort`` is what is wanted. A connection without a certificate is made, and one
without TLS to the same port (``client.portUnification``) and to ``plain_port`` (2181); ``srvr`` is asked on each.

.. rubric:: Example

With this factory::

    services:
      zookeeper:
        - name: zuul
          members: [zk1.internal, zk2.internal, zk3.internal]
          client: {certificate: client.pem, key: "file:/etc/factory/client.key"}

the line passes if every member ends the connection without a certificate, and nobody listens on port 2181.

It fails if a member answers one of these. One that serves nobody is passed over: ``zookeeper-members`` tells. Where it
serves who has a certificate, and nothing is known of who has none: ERROR.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.checks.zookeeper_members import members
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.zookeeper import AskDoors, AskMember, Doors, Member
from diskimage_validator.readiness.rules.services.zookeeper import EnsembleRules

ID: Final = "zookeeper-doors"
TITLE: Final = "ZooKeeper without TLS or certificate"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Core services"

_EXPECTED: Final = "no answer without TLS, and none without a client's certificate"


def asks(factory: Factory) -> Iterator[AskDoors | AskMember]:
    """Yield a question per member, and that of zookeeper-members."""
    for ensemble in factory.rules.services.zookeeper:
        for pair in _doors(ensemble):
            yield from pair


def _doors(ensemble: EnsembleRules) -> Iterator[tuple[AskDoors, AskMember]]:
    for member in members(ensemble):
        ports = [port for port in (member.address.port, ensemble.plain_port) if port]
        yield AskDoors(member.address, tuple(dict.fromkeys(ports))), member


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every member."""
    for ensemble in question.factory.rules.services.zookeeper:
        for ask, member in _doors(ensemble):
            yield _judge(f"{ensemble.name}: {ask.address}", question.seen[ask], question.seen[member].fact)


def _judge(subject: str, evidence: Evidence[Doors], member: Member | Unreadable) -> Finding:
    fact = evidence.fact
    if isinstance(fact, Unreadable):
        return cannot_tell(evidence, subject, _EXPECTED, fact)
    knocks = [("without a certificate", fact.stranger), *((f"port {port}", knock) for port, knock in fact.plain)]
    actual = "; ".join(f"{door}: {knock.detail}" for door, knock in knocks)
    open_doors = [f"{door}: {knock.detail}" for door, knock in knocks if knock.outcome == "accepted"]
    if open_doors:
        hint = "set ssl.clientAuth=need, and leave out clientPort and client.portUnification"
        return tell(evidence, subject, Status.FAIL, "; ".join(open_doors), _EXPECTED, actual, hint)
    unknown = [f"{door}: {knock.detail}" for door, knock in knocks if knock.outcome == "failed"]
    if unknown:
        if isinstance(member, Member) and member.trouble:
            message = f"there was no way to it, see zookeeper-members: {'; '.join(unknown)}"
            return tell(evidence, subject, Status.SKIP, message, _EXPECTED, actual)
        message, hint = f"could not tell: {'; '.join(unknown)}", "let this host through to these ports, and ask again"
        return tell(evidence, subject, Status.ERROR, message, _EXPECTED, actual, hint)
    return tell(evidence, subject, Status.PASS, actual, _EXPECTED, actual)
