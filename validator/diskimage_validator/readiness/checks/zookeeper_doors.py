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

It fails if a member answers one of these.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.zookeeper import AskDoors, Doors
from diskimage_validator.readiness.rules.services.zookeeper import EnsembleRules

ID: Final = "zookeeper-doors"
TITLE: Final = "ZooKeeper without TLS or certificate"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Core services"

_EXPECTED: Final = "no answer without TLS, and none without a client's certificate"


def asks(factory: Factory) -> Iterator[AskDoors]:
    """Yield a question per member."""
    for ensemble in factory.rules.services.zookeeper:
        yield from _doors(ensemble)


def _doors(ensemble: EnsembleRules) -> Iterator[AskDoors]:
    for address in dict.fromkeys(ensemble.addresses):
        ports = [port for port in (address.port, ensemble.plain_port) if port]
        yield AskDoors(address, tuple(dict.fromkeys(ports)))


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every member."""
    for ensemble in question.factory.rules.services.zookeeper:
        for ask in _doors(ensemble):
            yield _judge(f"{ensemble.name}: {ask.address}", question.seen[ask])


def _judge(subject: str, evidence: Evidence[Doors]) -> Finding:
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
        message = f"there was no way to it, see zookeeper-members: {'; '.join(unknown)}"
        return tell(evidence, subject, Status.SKIP, message, _EXPECTED, actual)
    return tell(evidence, subject, Status.PASS, actual, _EXPECTED, actual)
