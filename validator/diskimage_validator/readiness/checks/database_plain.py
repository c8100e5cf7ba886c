"""A database server does not go on with a client that comes without TLS.

PostgreSQL is asked for a login without TLS, for this user and this database, and has to refuse it (``hostssl`` in
``pg_hba.conf``) before it asks for a password, which is not sent. MariaDB and MySQL tell it of themselves:
``require_secure_transport``.

.. rubric:: Example

With this factory::

    services:
      databases:
        - name: zuul
          kind: mysql
          servers: [db1.internal, db2.internal]
          database: zuul
          user: readiness
          password: env:DB_PASSWORD

the line passes if ``require_secure_transport`` is ON on both.

It fails if one of them takes connections without TLS: one client that is set up wrongly sends its password in clear.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks import database_servers
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.databases import AskDatabase, DatabaseServer

ID: Final = "database-plain"
TITLE: Final = "Databases without TLS"
SEVERITY: Final = Severity.WARNING
LINE: Final = "Core services"

_EXPECTED: Final = "refuses who comes without TLS"


def asks(factory: Factory) -> Iterator[AskDatabase]:
    """Yield the questions of database-servers."""
    return database_servers.asks(factory)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every server."""
    for database in question.factory.rules.services.databases:
        for ask in database_servers.servers(database):
            yield _judge(f"{database.name}: {ask.address}", question.seen[ask])


def _judge(subject: str, evidence: Evidence[DatabaseServer]) -> Finding:
    fact = evidence.fact
    if isinstance(fact, Unreadable):
        return cannot_tell(evidence, subject, _EXPECTED, fact)
    if fact.plain is None:
        message = f"nobody could log in, see database-servers: {fact.trouble}"
        return tell(evidence, subject, Status.SKIP, message, _EXPECTED)
    said = fact.plain.detail
    if fact.plain.outcome == "failed":
        hint = "look at the log of the server, and ask again: it let this user in with TLS, or should"
        return tell(evidence, subject, Status.ERROR, f"could not tell: {said}", _EXPECTED, said, hint)
    if fact.plain.outcome == "accepted":
        hint = "PostgreSQL: hostssl instead of host in pg_hba.conf; MariaDB and MySQL: require_secure_transport=ON"
        return tell(evidence, subject, Status.FAIL, f"takes connections without TLS: {said}", _EXPECTED, said, hint)
    return tell(evidence, subject, Status.PASS, f"refuses connections without TLS: {said}", _EXPECTED, said)
