"""The state of a PostgreSQL server, by pg8000.

What is read is described in PostgreSQL's manual: "System Administration Functions" (recovery control), and "The
Cumulative Statistics System" for ``pg_stat_replication`` and ``pg_stat_wal_receiver``, which users without
``pg_monitor`` see with most of their columns empty; "Control Data Functions" for the system identifier, which a server
shares with all that were copied from it. A promotion begins a new timeline ("Timelines"), whose number is in the name
of every WAL file: so a server and those that receive from it have the same one, and others have not.
"""

import contextlib
import re
import ssl
import struct
import time
from collections.abc import Iterator
from typing import Any, Final

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection
from scramp import ScramException

from diskimage_validator.printable import printable
from diskimage_validator.readiness.facts.databases import AskDatabase, DatabaseServer, Receivers, Stream
from diskimage_validator.readiness.facts.tls import Knock
from diskimage_validator.readiness.facts.trouble import Kind
from diskimage_validator.readiness.probes.links import (
    CLOSED,
    MAX_REASON,
    BrokenError,
    Meter,
    broken,
    dial,
    first_of,
    secure,
    words,
)
from diskimage_validator.readiness.probes.means import Means

NAME: Final = "airgap-readiness"
BEGIN: Final = "START TRANSACTION READ ONLY"
STATE: Final = """SELECT current_setting('server_version'), pg_is_in_recovery(),
    current_setting('default_transaction_read_only') = 'on',
    (SELECT system_identifier::text FROM pg_control_system())"""
TIMELINE: Final = "SELECT pg_walfile_name(pg_current_wal_lsn())"
"""Of a server that takes writes, the first eight hexadecimal digits; what pg_control_checkpoint() says is older."""
STREAM: Final = """SELECT (SELECT count(*) FROM pg_stat_wal_receiver), pg_is_wal_replay_paused(),
    pg_last_wal_receive_lsn()::text, coalesce(pg_last_wal_replay_lsn()::text, 'nothing'),
    (SELECT max(received_tli) FROM pg_stat_wal_receiver)"""
LAG: Final = """SELECT pg_last_wal_replay_lsn() >= CAST(:received AS pg_lsn),
    extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8"""
PAUSES: Final = (0.0, 0.1, 0.3, 0.6)
"""Seconds before each look whether a standby has replayed what it had received at first."""
RECEIVERS: Final = """SELECT application_name, coalesce(host(client_addr), 'this host'), state,
    extract(epoch FROM replay_lag)::float8, pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery()
    THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, replay_lsn)::float8
    FROM pg_stat_replication WHERE pid NOT IN
    (SELECT active_pid FROM pg_replication_slots WHERE slot_type = 'logical' AND active_pid IS NOT NULL)
    ORDER BY 1, 2 LIMIT 100"""
KINDS: Final[dict[str, Kind]] = {"28000": "denied", "28P01": "denied", "3D000": "absent", "42501": "absent"}
"""By SQLSTATE ("PostgreSQL Error Codes")."""
NOT_ALLOWED: Final = "28000"
STRANGE: Final = "what answers does not speak PostgreSQL's protocol"
SSL_REQUEST: Final = struct.pack("!ii", 8, 80877103)
"""Answered with ``S`` or ``N`` ("SSL Session Encryption")."""
PROTOCOL: Final = 196608
"""3.0 ("Message Formats", StartupMessage)."""
ASK_PASSWORD: Final = (3, 5, 10)
"""Kinds of authentication (AuthenticationCleartextPassword, -MD5Password, -SASL)."""
SASL_CONTINUE: Final = 11
MAX_ITERATIONS: Final = 1_000_000
"""How often SCRAM hashes the password at the server's request; 4096 by default (``scram_iterations``)."""
_ITERATIONS: Final = re.compile(rb",i=([^,]*)")
HEADER: Final = 9
"""Bytes of a message up to the kind of authentication that it asks for."""


def read_postgresql(
    ask: AskDatabase, password: str | None, means: Means, meter: Meter, context: ssl.SSLContext
) -> DatabaseServer:
    """Return the state of a server. Raises BrokenError."""
    with _encrypted(ask, means, meter, context) as tls, _connection(ask, password, tls) as link:
        protocol = tls.version() or ""
        link.run(BEGIN)
        version, standby, read_only, system = link.run(STATE)[0]
        streams: tuple[Stream, ...] = (_stream(link, system),) if standby else ()
        identity = streams[0].source if standby else _identity(int(link.run(TIMELINE)[0][0][:8], 16), system)
        receivers = _receivers(link)
    return DatabaseServer(
        f"PostgreSQL {printable(str(version).partition(' ')[0], 60)}",
        protocol,
        writable=not standby and not read_only,
        streams=streams,
        receivers=receivers,
        missing="" if receivers and (identity or not streams[0].running) else "pg_monitor",
        plain=_plain(ask, means),
        identity=identity,
    )


def _identity(timeline: int | None, system: str) -> str:
    return "" if timeline is None else f"timeline {timeline} of system {printable(str(system), 60)}"


class _Login(Connection):  # type: ignore[misc]
    """pg8000's connection, with a limit to the work that a server may ask for, and a reason where it asks for more."""

    def handle_AUTHENTICATION_REQUEST(self, data: bytes, context: Any) -> None:  # noqa: N802 - pg8000's name
        """Answer a request. Raises BrokenError for one that cannot be answered, or should not be."""
        kind = struct.unpack_from("!i", data)[0]
        if kind in ASK_PASSWORD and self.password is None:
            raise BrokenError("denied", "the server asks for a password, and the factory.yaml has none for it")
        if kind == SASL_CONTINUE and any(map(_is_too_much, _ITERATIONS.findall(data))):
            raise BrokenError("protocol", f"the server wants the password hashed more than {MAX_ITERATIONS} times")
        super().handle_AUTHENTICATION_REQUEST(data, context)


def _is_too_much(count: bytes) -> bool:
    """Return whether this is no plain number of iterations, or too large a one: int() reads ``+1`` and ``1_0`` too."""
    return not count.isdigit() or len(count) > len(str(MAX_ITERATIONS)) or int(count) > MAX_ITERATIONS


def _encrypted(ask: AskDatabase, means: Means, meter: Meter, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Return a connection with TLS, verified as ``context`` does. pg8000 leaves it open where its goodbye fails.

    Raises BrokenError.
    """
    link = dial(ask.address, means, meter)
    try:
        link.sendall(SSL_REQUEST)
        answer = link.recv(1)
    except OSError as error:
        link.close()
        raise broken(error) from error
    if answer == b"S":
        return secure(link, ask.address, context)
    link.close()
    if answer == b"N":
        raise BrokenError("tls", "the server offers no TLS")
    raise BrokenError("protocol", STRANGE)


@contextlib.contextmanager
def _connection(ask: AskDatabase, password: str | None, tls: ssl.SSLSocket) -> Iterator[Connection]:
    """Log in, and out in the end."""
    try:
        link = _Login(
            ask.user,
            database=ask.database,
            password=password,
            ssl_context=False,
            application_name=NAME,
            sock=tls,
        )
        with contextlib.closing(link):
            yield link
    except (DatabaseError, InterfaceError, OSError) as error:
        raise _broken(error) from error
    except (LookupError, ValueError, TypeError, AttributeError, struct.error, ScramException) as error:
        raise BrokenError("protocol", STRANGE) from error


def _broken(error: BaseException) -> BrokenError:
    """Return what an error means."""
    first = first_of(error, (BrokenError, DatabaseError, OSError))
    if isinstance(first, BrokenError):
        return first
    if isinstance(first, DatabaseError):
        return _refused(first)
    if isinstance(first, OSError):
        return broken(first)
    if "network error" in str(first):
        return BrokenError("refused", CLOSED)
    return BrokenError("denied", f"cannot log in: {first}")


def _refused(error: DatabaseError) -> BrokenError:
    """Return what a server's error means; its fields are those of "Error and Notice Message Fields"."""
    fields = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    code, message = str(fields.get("C", "")), str(fields.get("M", error))
    return BrokenError(KINDS.get(code, "session"), f"the server refuses: {message}")


def _stream(link: Connection, system: str) -> Stream:
    receivers, paused, received, position, timeline = link.run(STREAM)[0]
    detail = f"replayed up to {printable(str(position), 60)}"
    if paused:
        detail += ", replay is paused"
    if not receivers:
        detail += ", no WAL receiver: it is not connected to its primary"
    return Stream(bool(receivers) and not paused, _lag(link, received), detail, _identity(timeline, system))


def _lag(link: Connection, received: str | None) -> float | None:
    """Return how many seconds a standby is behind.

    The age of what it replayed last says that only if there is more to replay: where nobody writes it is hours. And
    something has always just come, if only a checkpoint, so a standby is given a second to replay that.
    """
    age = None
    for pause in PAUSES:
        time.sleep(pause)
        replayed, age = link.run(LAG, received=received)[0]
        if replayed:
            return 0.0
        if replayed is None:
            break
    return None if age is None else float(age)


def _receivers(link: Connection) -> Receivers | None:
    rows = link.run(RECEIVERS)
    if any(state is None for _, _, state, _, _ in rows):
        return None
    streaming = [row for row in rows if row[2] == "streaming"]
    said = [
        printable(f"{name} at {host}: {state}, {float(behind or 0):.0f} bytes behind", MAX_REASON)
        for name, host, state, _, behind in rows
    ]
    lags = [float(lag) for _, _, _, lag, _ in streaming if lag is not None]
    return Receivers(len(streaming), "; ".join(said), max(lags, default=None))


def _plain(ask: AskDatabase, means: Means) -> Knock:
    """Begin as a client without TLS does, up to where a password would be sent: rules in pg_hba.conf come before."""
    meter = Meter(means.timeout)
    names = ("user", ask.user, "database", ask.database)
    body = struct.pack("!i", PROTOCOL) + b"".join(name.encode() + b"\0" for name in names) + b"\0"
    try:
        with dial(ask.address, means, meter) as link:
            link.sendall(struct.pack("!i", len(body) + 4) + body)
            data = b""
            while more := link.recv(4096):
                data += more
                if data.startswith(b"R") and len(data) >= HEADER:
                    break
    except BrokenError as error:
        return Knock("failed", error.trouble.text)
    except OSError as error:
        return Knock("failed", words(error))
    if data.startswith(b"R") and len(data) >= HEADER:
        asked = struct.unpack("!i", data[5:HEADER])[0]
        return Knock("accepted", "it would go on without TLS" if asked else "it lets in without TLS and password")
    fields = {
        field[:1].decode("latin-1"): field[1:].decode("utf-8", "replace") for field in data[5:].split(b"\0") if field
    }
    said = printable(fields.get("M", "no answer"), MAX_REASON)
    return Knock("refused" if data.startswith(b"E") and fields.get("C") == NOT_ALLOWED else "failed", said)
