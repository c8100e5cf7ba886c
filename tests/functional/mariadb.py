"""A real MariaDB on loopback with TLS, a replica of it, and a node of a Galera cluster. All are Debian's."""

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

from tests.elements.pki import Issued
from tests.functional.ports import free_port
from tests.functional.unprivileged import hand_over, private, run_unprivileged, server_folder, serving

PASSWORD = "s3cret-of-readiness"
SMALL = ["--innodb-log-file-size=4M", "--innodb-buffer-pool-size=16M"]
SECURE = "--require-secure-transport"
GALERA = "/usr/lib/galera/libgalera_smm.so"
CONTENT = (
    "CREATE DATABASE zuul",
    f"CREATE USER readiness IDENTIFIED BY '{PASSWORD}'",
    "GRANT REPLICA MONITOR ON *.* TO readiness",
    "GRANT SELECT ON zuul.* TO readiness",
    f"CREATE USER blind IDENTIFIED BY '{PASSWORD}'",
    "GRANT SELECT ON zuul.* TO blind",
    "CREATE USER certified REQUIRE SUBJECT '/CN=certified'",
    "GRANT REPLICA MONITOR ON *.* TO certified",
    "GRANT SELECT ON zuul.* TO certified",
    f"CREATE USER follower IDENTIFIED BY '{PASSWORD}'",
    "GRANT REPLICATION SLAVE ON *.* TO follower",
)


@dataclass(frozen=True)
class Tls:
    """What a server presents, and whose clients it trusts."""

    authority: Issued
    leaf: Issued

    def options(self, folder: Path) -> list[str]:
        """Write the files into ``folder``, and return the options that name them."""
        files = {"ca": self.authority.cert_pem, "cert": self.leaf.cert_pem, "key": self.leaf.key_pem}
        return [f"--ssl-{name}={private(folder / f'{name}.pem', content)}" for name, content in files.items()]


@dataclass(frozen=True)
class MariaDb:
    """A running server. ``folder`` has its socket."""

    port: int
    folder: Path

    def ask(self, *statements: str) -> str:
        """Run statements as administrator; return the first value of the last one, empty without any."""
        rows: Sequence[Any] = ()
        with contextlib.closing(
            pymysql.connect(user="root", unix_socket=str(self.folder / "sock"), autocommit=True)
        ) as link:
            for statement in statements:
                with link.cursor() as cursor:
                    cursor.execute(statement)
                    rows = cursor.fetchall()
        return str(rows[0][0]) if rows else ""


@contextlib.contextmanager
def installed() -> Iterator[Path]:
    """Give the empty data of a server, for all servers to begin with."""
    with server_folder() as folder:
        install = [
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={folder}/data",
            f"--tmpdir={folder}",
            "--skip-test-db",
        ]
        run_unprivileged([*install, *SMALL, "--auth-root-authentication-method=normal"], folder / "log")
        yield folder / "data"


@contextlib.contextmanager
def mariadb(data: Path, tls: Tls | None, *options: str) -> Iterator[MariaDb]:
    """Run a server that begins with a copy of ``data``."""
    with server_folder() as folder:
        shutil.copytree(data, folder / "data")
        for path in [folder / "data", *(folder / "data").rglob("*")]:
            hand_over(path)
        server = MariaDb(free_port(), folder)
        places = [
            f"--datadir={folder}/data",
            f"--tmpdir={folder}",
            f"--socket={folder}/sock",
            f"--pid-file={folder}/pid",
        ]
        network = ["--bind-address=127.0.0.1", f"--port={server.port}", "--skip-name-resolve"]
        command = ["mariadbd", "--no-defaults", *places, *network, *SMALL, *(tls.options(folder) if tls else ())]
        with serving(
            [*command, *options], folder / "log", folder / "sock", lambda: server.ask("SELECT user FROM mysql.user")
        ):
            yield server


@contextlib.contextmanager
def primary_and_replica(data: Path, tls: Tls) -> Iterator[tuple[MariaDb, MariaDb]]:
    """Run a primary with users and a database, and a replica that receives these over TLS."""
    with mariadb(data, tls, "--server-id=1", "--log-bin=log", SECURE) as primary:
        primary.ask(*CONTENT)
        with replica_of(primary, data, tls, 2) as replica:
            yield primary, replica


@contextlib.contextmanager
def replica_of(primary: MariaDb, data: Path, tls: Tls, number: int) -> Iterator[MariaDb]:
    """Run a replica with the server_id ``number``, which others may receive from in turn."""
    options = [f"--server-id={number}", "--log-bin=log", "--log-slave-updates", "--read-only", SECURE]
    with mariadb(data, tls, *options) as replica:
        source = f"MASTER_HOST='127.0.0.1', MASTER_PORT={primary.port}, MASTER_USER='follower'"
        access = f"MASTER_PASSWORD='{PASSWORD}', MASTER_SSL=1, MASTER_CONNECT_RETRY=1, MASTER_USE_GTID=slave_pos"
        replica.ask(f"CHANGE MASTER TO {source}, {access}", "START REPLICA")
        yield replica


def galera_options() -> list[str]:
    """Return the options of the first node of a new cluster."""
    listen = f"gmcast.listen_addr=tcp://127.0.0.1:{free_port()}"
    return [
        "--wsrep-on=ON",
        f"--wsrep-provider={GALERA}",
        "--wsrep-cluster-address=gcomm://",
        "--wsrep-node-address=127.0.0.1",
        f"--wsrep-provider-options={listen};gcache.size=1M",
        "--binlog-format=ROW",
        "--innodb-autoinc-lock-mode=2",
    ]
