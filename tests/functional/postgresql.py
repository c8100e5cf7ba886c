"""A real PostgreSQL on loopback with TLS, and a standby that streams from it. Both are Debian's."""

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pg8000.native import Connection

from tests.elements.pki import Issued
from tests.functional.ports import free_port
from tests.functional.unprivileged import private, run_unprivileged, server_folder, serving

ADMIN = "admin"
PASSWORD = "s3cret-of-readiness"
CONFIGURATION = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
ssl = on
ssl_cert_file = '{folder}/server.pem'
ssl_key_file = '{folder}/server.key'
ssl_ca_file = '{folder}/ca.pem'
fsync = off
max_connections = 20
shared_buffers = 8MB
wal_retrieve_retry_interval = 100ms
"""
ACCESS = """\
local all all trust
local replication all trust
hostssl all certified 127.0.0.1/32 cert
hostssl all all 127.0.0.1/32 scram-sha-256
hostnossl all lax 127.0.0.1/32 scram-sha-256
"""
CONTENT = (
    "CREATE DATABASE zuul",
    f"CREATE ROLE readiness LOGIN PASSWORD '{PASSWORD}' IN ROLE pg_monitor",
    f"CREATE ROLE lax LOGIN PASSWORD '{PASSWORD}' IN ROLE pg_monitor",
    f"CREATE ROLE blind LOGIN PASSWORD '{PASSWORD}'",
    "CREATE ROLE certified LOGIN IN ROLE pg_monitor",
)


@dataclass(frozen=True)
class PostgreSql:
    """A running server. ``folder`` has its socket."""

    port: int
    folder: Path

    @property
    def socket(self) -> Path:
        """For administration, without a password."""
        return self.folder / f".s.PGSQL.{self.port}"

    def ask(self, *statements: str) -> str:
        """Run statements as administrator; return the first value of the last one, empty without any."""
        link = Connection(ADMIN, database="postgres", unix_sock=str(self.socket), timeout=10)
        with contextlib.closing(link):
            rows = [link.run(statement) for statement in statements][-1]
        return str(rows[0][0]) if rows else ""

    def set(self, name: str, value: str) -> None:
        """Change a setting of the running server."""
        self.ask(f"ALTER SYSTEM SET {name} = '{value}'", "SELECT pg_reload_conf()")

    def reset(self, name: str) -> None:
        self.ask(f"ALTER SYSTEM RESET {name}", "SELECT pg_reload_conf()")


def program(name: str) -> str:
    """Return the path of a program of the newest server that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    assert found, "no PostgreSQL server is installed"
    return str(found[-1])


@contextlib.contextmanager
def postgresql(authority: Issued, leaf: Issued) -> Iterator[PostgreSql]:
    """Run a primary with the certificate ``leaf``; it trusts clients of ``authority``."""
    with server_folder() as folder:
        data, log = folder / "data", folder / "log"
        options = ["-D", str(data), "-A", "trust", "--no-sync", "-U", ADMIN]
        run_unprivileged([program("initdb"), *options], log)
        with _running(folder, authority, leaf) as server:
            server.ask(*CONTENT)
            yield server


@contextlib.contextmanager
def standby_of(primary: PostgreSql, authority: Issued, leaf: Issued) -> Iterator[PostgreSql]:
    """Run a standby that streams from ``primary``."""
    with server_folder() as folder:
        source = ["-h", str(primary.folder), "-p", str(primary.port), "-U", ADMIN]
        options = ["-D", str(folder / "data"), "-R", "--no-sync", "-c", "fast"]
        run_unprivileged([program("pg_basebackup"), *source, *options], folder / "log")
        with _running(folder, authority, leaf) as server:
            yield server


@contextlib.contextmanager
def _running(folder: Path, authority: Issued, leaf: Issued) -> Iterator[PostgreSql]:
    private(folder / "ca.pem", authority.cert_pem)
    private(folder / "server.pem", leaf.cert_pem)
    private(folder / "server.key", leaf.key_pem)
    private(folder / "data" / "pg_hba.conf", ACCESS.encode())
    server = PostgreSql(free_port(), folder)
    private(folder / "data" / "postgresql.conf", CONFIGURATION.format(folder=folder, port=server.port).encode())
    command = [program("postgres"), "-D", str(folder / "data")]
    with serving(command, folder / "log", server.socket, lambda: server.ask("SELECT 1"), signal.SIGINT):
        yield server
