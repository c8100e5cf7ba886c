"""Every database server lets its user in over TLS, and the database is there.

Name and chain of its certificate are verified against the bundle before a password is sent; a server that offers no TLS
is not logged in to at all. What is read is read in a transaction that cannot write.

.. rubric:: Example

With this factory::

    services:
      databases:
        - name: zuul
          kind: postgresql
          servers: [db1.internal, db2.internal]
          database: zuul
          user: readiness
          password: env:DB_PASSWORD

the line passes if both servers let ``readiness`` into the database ``zuul``.

It fails if one of them is not there, has a certificate for another name or of another CA, or no TLS, if it refuses the
password or the client's certificate, and if it has no database ``zuul``.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.checks.services import REMEDIES
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.databases import AskDatabase, DatabaseServer
from diskimage_validator.readiness.rules.services.databases import DatabaseRules

ID: Final = "database-servers"
TITLE: Final = "Database logins"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Core services"


def asks(factory: Factory) -> Iterator[AskDatabase]:
    """Yield a question per server."""
    for database in factory.rules.services.databases:
        yield from servers(database)


def servers(database: DatabaseRules) -> Iterator[AskDatabase]:
    """Yield the questions to the servers of one database."""
    certificate, key = (database.client.certificate, database.client.key) if database.client else ("", None)
    for address in dict.fromkeys(database.addresses):
        yield AskDatabase(database.kind, address, database.database, database.user, database.password, certificate, key)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every server."""
    for database in question.factory.rules.services.databases:
        for ask in servers(database):
            yield _judge(f"{database.name}: {ask.address}", ask, question.seen[ask])


def _judge(subject: str, ask: AskDatabase, evidence: Evidence[DatabaseServer]) -> Finding:
    fact, expected = evidence.fact, f"lets {ask.user} into the database {ask.database} over TLS"
    if isinstance(fact, Unreadable):
        return cannot_tell(evidence, subject, expected, fact)
    if trouble := fact.trouble:
        return tell(evidence, subject, Status.FAIL, trouble.text, expected, "no login", REMEDIES[trouble.kind])
    actual = f"{fact.version}, {'takes writes' if fact.writable else 'read-only'}, {fact.protocol}"
    return tell(evidence, subject, Status.PASS, actual, expected, actual)
