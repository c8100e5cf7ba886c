"""Questions to database servers. Whatever is asked is asked in a transaction that cannot write."""

import ssl
from collections.abc import Callable

from diskimage_validator.readiness.facts.databases import AskDatabase, DatabaseServer
from diskimage_validator.readiness.probes.authorities import verifying
from diskimage_validator.readiness.probes.clients import load_client
from diskimage_validator.readiness.probes.links import BrokenError, Meter, metered
from diskimage_validator.readiness.probes.means import Means

Reader = Callable[[AskDatabase, str | None, Means, Meter, ssl.SSLContext], DatabaseServer]


def ask_database(ask: AskDatabase, means: Means) -> DatabaseServer:
    """Return the state of a server. Raises UsageError for files and secrets that cannot be read."""
    context = verifying(means.authorities)
    if ask.key:
        load_client(context, ask.certificate, ask.key, means.folder)
    password = ask.password.line(means.folder) if ask.password else None
    meter = Meter(means.timeout)
    try:
        return _reader(ask.kind)(ask, password, means, meter, metered(context, meter))
    except BrokenError as error:
        return DatabaseServer(trouble=error.trouble)


def _reader(kind: str) -> Reader:
    """Return who reads servers of a kind; its library is imported only now."""
    if kind == "postgresql":
        from diskimage_validator.readiness.probes.postgresql import read_postgresql

        return read_postgresql
    from diskimage_validator.readiness.probes.mysql import read_mysql

    return read_mysql
