"""The state of a MariaDB or MySQL server, by PyMySQL.

What is read is described in the manuals: "SHOW REPLICA STATUS" (MySQL; its columns have other names than MariaDB's,
which kept the old ones), "SHOW ALL SLAVES STATUS" and "Galera Cluster Status Variables" (MariaDB). Servers know each
other by ``server_id`` (MariaDB) or ``server_uuid`` (MySQL), which a replica asks its source for when it connects.
"""

import contextlib
import ssl
import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pymysql
from pymysql.cursors import DictCursor

from diskimage_validator.printable import printable
from diskimage_validator.readiness.facts.databases import AskDatabase, Cluster, DatabaseServer, Receivers, Stream
from diskimage_validator.readiness.facts.tls import Knock
from diskimage_validator.readiness.facts.trouble import Kind
from diskimage_validator.readiness.probes.links import MAX_REASON, BrokenError, Meter, broken, dial, first_of
from diskimage_validator.readiness.probes.means import Means

BEGIN: Final = "START TRANSACTION READ ONLY"
VARIABLES: Final = """SHOW GLOBAL VARIABLES WHERE Variable_name IN
    ('version', 'read_only', 'super_read_only', 'innodb_read_only', 'require_secure_transport', 'wsrep_on',
    'server_id', 'server_uuid')"""
STATUS: Final = """SHOW GLOBAL STATUS WHERE Variable_name IN ('Slaves_connected', 'wsrep_cluster_size',
    'wsrep_cluster_status', 'wsrep_local_state_comment', 'wsrep_ready')"""
KINDS: Final[dict[int, Kind]] = {
    1044: "absent",  # ER_DBACCESS_DENIED_ERROR
    1045: "denied",  # ER_ACCESS_DENIED_ERROR
    1049: "absent",  # ER_BAD_DB_ERROR
    1130: "denied",  # ER_HOST_NOT_PRIVILEGED
    1251: "denied",  # ER_NOT_SUPPORTED_AUTH_MODE
    2006: "refused",  # CR_SERVER_GONE_ERROR
    2013: "refused",  # CR_SERVER_LOST
    2026: "tls",  # CR_SSL_CONNECTION_ERROR: PyMySQL says it where the server has no TLS
    2059: "denied",  # CR_AUTH_PLUGIN_CANNOT_LOAD
}
"""By error number ("Server Error Message Reference" of MySQL, "MariaDB Error Codes")."""
DENIED: Final = 1227
"""ER_SPECIFIC_ACCESS_DENIED_ERROR."""
NO_TLS: Final = 2026


def read_mysql(
    ask: AskDatabase, password: str | None, means: Means, meter: Meter, context: ssl.SSLContext
) -> DatabaseServer:
    """Return the state of a server. Raises BrokenError."""
    with _connection(ask, password, means, meter, context) as link:
        _rows(link, BEGIN)
        settings, status = _pairs(_rows(link, VARIABLES)), _pairs(_rows(link, STATUS))
        maria = "mariadb" in settings.get("version", "").lower()
        cluster = _cluster(settings, status)
        streams, missing = _streams(link, maria=maria)
        receivers, lacks = (None, "") if cluster else _receivers(link, status, maria=maria)
        protocol = getattr(link, "_sock").version()  # noqa: B009 - PyMySQL has no other way to its socket
    read_only = any(settings.get(name, "OFF") not in ("OFF", "0") for name in READ_ONLY)
    return DatabaseServer(
        f"{'MariaDB' if maria else 'MySQL'} {settings.get('version', '').partition('-')[0]}",
        protocol,
        writable=not read_only,
        streams=streams,
        receivers=receivers,
        missing=missing or lacks,
        cluster=cluster,
        plain=_plain(settings),
        identity=_identity(settings.get("server_uuid"), settings.get("server_id")),
    )


READ_ONLY: Final = ("read_only", "super_read_only", "innodb_read_only")


@contextlib.contextmanager
def _connection(
    ask: AskDatabase, password: str | None, means: Means, meter: Meter, context: ssl.SSLContext
) -> Iterator[Any]:
    """Log in, and out in the end. PyMySQL verifies as ``context`` does, by the name of ``host``."""
    link: Any = pymysql.Connection(
        host=ask.address.name,
        user=ask.user,
        password=(password or "").encode(),
        database=ask.database,
        ssl=context,
        charset="utf8mb4",
        autocommit=None,
        cursorclass=DictCursor,
        read_timeout=meter.timeout,
        write_timeout=meter.timeout,
        defer_connect=True,
    )
    with dial(ask.address, means, meter) as plain:
        try:
            link.connect(plain)
            with contextlib.closing(link):
                yield link
        except pymysql.MySQLError as error:
            raise _refused(error) from error
        except OSError as error:
            raise broken(error) from error
        except RuntimeError as error:  # PyMySQL's, for what it will not do: files of ours, a library that is missing
            raise BrokenError("protocol", str(error)) from error
        except (LookupError, ValueError, TypeError, AssertionError, AttributeError, struct.error) as error:
            raise BrokenError("protocol", "what answers does not speak MySQL's protocol") from error


def _refused(error: pymysql.MySQLError) -> BrokenError:
    first = first_of(error, (BrokenError, pymysql.MySQLError, OSError))
    if isinstance(first, BrokenError):
        return first
    if isinstance(first, OSError):
        return broken(first)
    number, message = (*first.args, "", "")[:2]
    if number == NO_TLS:
        return BrokenError("tls", "the server offers no TLS")
    return BrokenError(KINDS.get(number, "session") if isinstance(number, int) else "session", f"{message or number}")


def _rows(link: Any, statement: str) -> list[dict[str, Any]]:
    with link.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def _pairs(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {str(row["Variable_name"]): printable(str(row["Value"]), 60) for row in rows}


def _cluster(settings: Mapping[str, str], status: Mapping[str, str]) -> Cluster | None:
    if settings.get("wsrep_on") != "ON":
        return None
    size = status.get("wsrep_cluster_size", "")
    return Cluster(
        int(size) if size.isascii() and size.isdigit() else 0,
        status.get("wsrep_cluster_status", "unknown"),
        status.get("wsrep_local_state_comment", "unknown"),
        status.get("wsrep_ready") == "ON",
    )


def _streams(link: Any, *, maria: bool) -> tuple[tuple[Stream, ...], str]:
    """Return what the server replicates, and which privilege is missing to know it."""
    try:
        rows = _rows(link, "SHOW ALL SLAVES STATUS" if maria else "SHOW REPLICA STATUS")
    except pymysql.MySQLError as error:
        if error.args and error.args[0] == DENIED:
            return (), "REPLICA MONITOR" if maria else "REPLICATION CLIENT"
        raise
    return tuple(map(stream_of, rows)), ""


def stream_of(row: Mapping[str, Any]) -> Stream:
    """Return what a row of the replica's status says, in the words of either product."""

    def value(old: str, new: str) -> str:
        found = row.get(old, row.get(new))
        return "" if found is None else str(found)

    receives, applies = (
        value("Slave_IO_Running", "Replica_IO_Running"),
        value("Slave_SQL_Running", "Replica_SQL_Running"),
    )
    lag = value("Seconds_Behind_Master", "Seconds_Behind_Source")
    said = f"from {value('Master_Host', 'Source_Host')}: receives: {receives}, applies: {applies}"
    for error in filter(None, (str(row.get("Last_IO_Error") or ""), str(row.get("Last_SQL_Error") or ""))):
        said += f"; {error}"
    behind = float(lag) if lag.isascii() and lag.isdigit() else None
    return Stream(
        receives == applies == "Yes",
        behind,
        printable(" ".join(said.split()), MAX_REASON),
        _identity(value("Master_UUID", "Source_UUID"), value("Master_Server_Id", "Source_Server_Id")),
    )


def _identity(uuid: str | None, number: str | None) -> str:
    """Return what a server is known by; nothing for what a replica says that has not reached its source yet: 0."""
    if uuid:
        return f"server_uuid {printable(uuid, 60)}"
    return f"server_id {printable(number, 60)}" if number not in (None, "", "0") else ""


def _receivers(link: Any, status: Mapping[str, str], *, maria: bool) -> tuple[Receivers | None, str]:
    """Return who receives from the server, and which privilege is missing to know it."""
    if maria:
        connected = status.get("Slaves_connected", "")
        return (Receivers(int(connected)), "") if connected.isascii() and connected.isdigit() else (None, "")
    try:
        return Receivers(len(_rows(link, "SHOW REPLICAS"))), ""
    except pymysql.MySQLError as error:
        if error.args and error.args[0] == DENIED:
            return None, "REPLICATION SLAVE"
        raise


def _plain(settings: Mapping[str, str]) -> Knock:
    """Say what the server does with who comes without TLS: it tells that, and many failed attempts would block us."""
    value = settings.get("require_secure_transport")
    if value is None:
        return Knock("failed", "the server has no setting require_secure_transport")
    return Knock("refused" if value in ("ON", "1") else "accepted", f"require_secure_transport is {value}")
