"""Object stores answer over verified TLS, take the credentials, and have the bucket or container.

S3 is asked with signed requests (version 4) to ``URL/BUCKET``, which needs the right to list the bucket; Swift after
a login to Keystone with a password or an application credential out of a ``clouds.yaml``. With ``write`` a small
object with a new name, ``readiness-...``, is written, read, compared and removed, also when the run is interrupted;
in a bucket with versions, that version is removed.

.. rubric:: Example

With this factory::

    services:
      object_stores:
        - name: logs
          swift: {clouds: "file:/etc/openstack/clouds.yaml", cloud: internal, container: zuul-logs}
          write: true
        - name: mirror
          s3: {url: "https://s3.internal", bucket: mirror, access_key: "env:S3_ACCESS", secret_key: "env:S3_SECRET"}

the line passes if both are there, and the first gives back what was written into it.

It fails if the credentials are refused, if there is no such bucket, or if this account may only read. Credentials that
cannot be read on this host are neither: ERROR.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.object_stores import AskObjectStore, ObjectStore

ID: Final = "object-store"
TITLE: Final = "Object stores"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Core services"

_HINT: Final = "look at its name, its credentials and their rights; is its CA in 'certificates.bundle'?"


def asks(factory: Factory) -> Iterator[AskObjectStore]:
    """Yield a question per store."""
    for store in factory.rules.services.object_stores:
        yield AskObjectStore(store.place, store.write)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every store, and one for every object that could not be removed."""
    for store in question.factory.rules.services.object_stores:
        ask = AskObjectStore(store.place, store.write)
        yield from _judge(store.name, ask, question.seen[ask])


def _judge(subject: str, ask: AskObjectStore, evidence: Evidence[ObjectStore]) -> Iterator[Finding]:
    fact = evidence.fact
    expected = f"{ask.place}" + (", and it gives back what is written" if ask.write else "")
    if isinstance(fact, Unreadable):
        yield cannot_tell(evidence, subject, expected, fact)
        return
    if fact.trouble:
        yield tell(evidence, subject, Status.FAIL, fact.trouble, expected, fact.trouble, _HINT)
    else:
        actual = f"{ask.place} is there" + (", and gives back what was written" if ask.write else "")
        yield tell(evidence, subject, Status.PASS, actual, expected, actual)
    if fact.left:
        yield tell(evidence, subject, Status.FAIL, fact.left, "nothing is left", fact.left, "remove it by hand")
