"""Core services: real databases with TLS that replicate, once green, and once red for each way to fail."""

import contextlib
import datetime
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.elements.pki import DAY, Issued, make_ca, make_client, make_server
from tests.functional import mariadb, postgresql
from tests.functional.mariadb import MariaDb, Tls, galera_options
from tests.functional.ports import free_port
from tests.functional.postgresql import PostgreSql
from tests.functional.readiness_lab import Outcome, dnsmasq, readiness

NAMES = ("db1.internal", "db2.internal")
PASSWORD = postgresql.PASSWORD
assert mariadb.PASSWORD == PASSWORD


@dataclass(frozen=True)
class Lab:
    """A PKI with the trusted bundle, a resolver, and, by kind, a primary and its replica."""

    folder: Path
    authority: Issued
    resolver: str
    pg: tuple[PostgreSql, PostgreSql]
    maria: tuple[MariaDb, MariaDb]
    empty: Path
    tls: Tls

    def check(self, kind: str, folder: Path, **rules: Any) -> Outcome:
        """Check the servers of a kind; ``rules`` are further or other ones, ``bundle`` is the factory's."""
        (folder / "password").write_text(f"{PASSWORD}\n")
        described = {
            "name": "zuul",
            "kind": kind,
            "servers": self.servers(kind),
            "database": "zuul",
            "user": "readiness",
            "password": "file:password",
            "min_replicas": 1,
            **rules,
        }
        bundle = described.pop("bundle", str(self.folder / "ca.pem"))
        return readiness(
            folder,
            dns={"resolvers": [self.resolver]},
            certificates={"bundle": bundle},
            limits={"timeout": 30},  # nothing here is silent, but this host may be busy
            services={"databases": [{key: value for key, value in described.items() if value is not None}]},
        )

    def servers(self, kind: str) -> list[str]:
        pair: tuple[Any, Any] = self.pg if kind == "postgresql" else self.maria
        return [f"{name}:{server.port}" for name, server in zip(NAMES, pair, strict=True)]

    def client(self, folder: Path, name: str, *dates: datetime.datetime) -> dict[str, str]:
        """Write a client's certificate and key into ``folder``, and return how a factory names them."""
        issued = make_client(self.authority, name, *dates)
        (folder / "client.pem").write_bytes(issued.cert_pem)
        (folder / "client.key").write_bytes(issued.key_pem)
        return {"certificate": "client.pem", "key": "file:client.key"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder, authority = tmp_path_factory.mktemp("databases"), make_ca("Database CA")
    (folder / "ca.pem").write_bytes(authority.cert_pem)
    leaf = make_server(authority, NAMES)
    tls = Tls(authority, leaf)
    with contextlib.ExitStack() as stack:
        names = [f"--host-record={name},127.0.0.1" for name in (*NAMES, "db9.internal")]
        resolver = stack.enter_context(dnsmasq(*names))
        primary = stack.enter_context(postgresql.postgresql(authority, leaf))
        standby = stack.enter_context(postgresql.standby_of(primary, authority, leaf))
        empty = stack.enter_context(mariadb.installed())
        maria = stack.enter_context(mariadb.primary_and_replica(empty, tls))
        lab = Lab(folder, authority, resolver, (primary, standby), maria, empty, tls)
        for kind in ("postgresql", "mysql"):
            eventually(partial(_sound, lab, kind))
        yield lab


def _sound(lab: Lab, kind: str) -> bool:
    return not lab.check(kind, lab.folder).bad()


def eventually(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


KINDS = pytest.mark.parametrize("kind", ["postgresql", "mysql"])


@KINDS
def test_everything_is_as_it_should_be(kind: str, lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(kind, tmp_path)
    assert outcome.bad() == {}
    assert outcome.status == 0
    product = {"postgresql": "PostgreSQL 1", "mysql": "MariaDB 1"}[kind]
    (first, _, said), (second, _, other) = outcome.of("database-servers")
    assert [first, second] == [f"zuul: {server}" for server in lab.servers(kind)]
    assert said.startswith(product)
    assert said.endswith(", takes writes, TLSv1.3")
    assert other.endswith(", read-only, TLSv1.3")
    (_, _, replication), *_ = outcome.of("database-replication")
    assert "takes writes, 1 replica receives" in replication
    assert "lag 0 s" in replication
    (_, _, plain), *_ = outcome.of("database-plain")
    assert plain.startswith("refuses connections without TLS: ")
    assert PASSWORD not in (tmp_path / "readiness.json").read_text()


@KINDS
def test_a_server_that_is_not_there_or_not_the_right_one(kind: str, lab: Lab, tmp_path: Path) -> None:
    first, second = lab.servers(kind)
    stranger = f"db9.internal:{first.rpartition(':')[2]}"
    outcome = lab.check(kind, tmp_path, servers=[first, stranger, f"db2.internal:{free_port()}", "db4.internal"])
    (_, one, _), (_, _, name), (_, _, refused), (_, _, missing) = outcome.of("database-servers")
    assert one == "pass"
    assert name == "its certificate does not verify: Hostname mismatch, certificate is not valid for 'db9.internal'."
    assert refused == "no connection to 127.0.0.1: refused, nobody listens there"
    assert missing.startswith("db4.internal does not resolve (")
    assert outcome.status == 1
    other = tmp_path / "other.pem"
    other.write_bytes(make_ca("Another CA").cert_pem)
    outcome = lab.check(kind, tmp_path, servers=[second], bundle=str(other))
    assert outcome.bad().keys() == {"database-servers"}
    assert outcome.bad()["database-servers"].startswith("its certificate does not verify: ")
    assert outcome.bad()["database-servers"].endswith(
        ("unable to get local issuer certificate", "self-signed certificate in certificate chain")
    )


@KINDS
@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (
            {"password": "env:WRONG"},
            {"postgresql": "password authentication failed", "mysql": "Access denied for user"},
        ),
        ({"database": "gerrit"}, {"postgresql": 'database "gerrit" does not exist', "mysql": "to database 'gerrit'"}),
    ],
)
def test_logins_that_are_refused(
    kind: str,
    rules: dict[str, str],
    said: dict[str, str],
    lab: Lab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WRONG", "not-the-password")
    outcome = lab.check(kind, tmp_path, **rules)
    assert set(outcome.bad()) == {"database-servers"}
    assert said[kind] in outcome.bad()["database-servers"]
    assert "not-the-password" not in (tmp_path / "readiness.json").read_text()


@KINDS
def test_a_missing_database_is_told_to_who_may_know_it(kind: str, lab: Lab, tmp_path: Path) -> None:
    lab.maria[0].ask("GRANT SELECT ON *.* TO readiness")
    try:
        said = lab.check(kind, tmp_path, servers=lab.servers(kind)[:1], database="gerrit").bad()["database-servers"]
    finally:
        lab.maria[0].ask("REVOKE SELECT ON *.* FROM readiness")
    assert said.endswith({"postgresql": 'database "gerrit" does not exist', "mysql": "Unknown database 'gerrit'"}[kind])


@KINDS
def test_a_client_with_a_certificate(kind: str, lab: Lab, tmp_path: Path) -> None:
    now = datetime.datetime.now(datetime.UTC)
    rules: dict[str, Any] = {"user": "certified", "password": None}
    assert lab.check(kind, tmp_path, **rules, client=lab.client(tmp_path, "certified")).bad() == {}
    expired = lab.client(tmp_path, "certified", now - 9 * DAY, now - 2 * DAY)
    outcome = lab.check(kind, tmp_path, **rules, client=expired)
    assert outcome.bad().keys() == {"database-servers"}
    assert "the server refuses this client: TLS: " in outcome.bad()["database-servers"]
    another = lab.check(kind, tmp_path, **rules, client=lab.client(tmp_path, "somebody-else"))
    refusals = {"postgresql": "the server refuses: certificate authentication failed", "mysql": "Access denied for"}
    assert another.bad()["database-servers"].startswith(refusals[kind])


@KINDS
def test_who_may_not_see_replication_cannot_tell(kind: str, lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(kind, tmp_path, user="blind")
    assert outcome.status == 3
    assert set(outcome.bad()) == {"database-replication"}
    assert outcome.bad()["database-replication"].startswith("blind may not see replication on db1.internal")


@KINDS
def test_fewer_replicas_than_are_wanted_and_none_that_takes_writes(kind: str, lab: Lab, tmp_path: Path) -> None:
    first, second = lab.servers(kind)
    assert lab.check(kind, tmp_path, min_replicas=2).bad() == {
        "database-replication": f"1 replica receives from {first}, 2 are wanted"
    }
    assert lab.check(kind, tmp_path, servers=[second]).bad() == {"database-replication": "no server takes writes"}


def test_a_postgresql_standby_that_has_stopped(lab: Lab, tmp_path: Path) -> None:
    standby = lab.pg[1]
    name = lab.servers("postgresql")[1]
    standby.ask("SELECT pg_wal_replay_pause()")
    said = lab.check("postgresql", tmp_path).bad()["database-replication"]
    standby.ask("SELECT pg_wal_replay_resume()")
    assert said.startswith(f"{name} does not replicate: replayed up to ")
    assert said.endswith(", replay is paused")
    conninfo = standby.ask("SHOW primary_conninfo")
    standby.set("primary_conninfo", "")
    try:
        eventually(lambda: standby.ask("SELECT count(*) FROM pg_stat_wal_receiver") == "0")
        said = lab.check("postgresql", tmp_path).bad()["database-replication"]
    finally:
        standby.set("primary_conninfo", conninfo.replace("'", "''"))
    assert said.startswith(f"{name} does not replicate: replayed up to ")
    assert ", no WAL receiver: it is not connected to its primary" in said
    eventually(partial(_sound, lab, "postgresql"))


def test_a_postgresql_standby_that_is_behind(lab: Lab, tmp_path: Path) -> None:
    primary, standby = lab.pg
    primary.ask("CREATE TABLE build (id INT)")
    eventually(lambda: standby.ask("SELECT pg_last_xact_replay_timestamp()") != "None")
    standby.set("recovery_min_apply_delay", "1h")
    primary.ask("DROP TABLE build")
    try:
        said = lab.check("postgresql", tmp_path, max_lag=0).bad()["database-replication"]
        later = lab.check("postgresql", tmp_path, max_lag=3600).bad()
    finally:
        standby.reset("recovery_min_apply_delay")
    assert re.match(rf"{re.escape(lab.servers('postgresql')[1])} is \d+ s behind", said)
    assert later == {}


def test_a_mariadb_replica_that_has_stopped_is_broken_or_takes_writes(lab: Lab, tmp_path: Path) -> None:
    primary, replica = lab.maria
    name = lab.servers("mysql")[1]
    replica.ask("SET GLOBAL read_only = OFF")
    assert lab.check("mysql", tmp_path).bad() == {"database-replication": f"{name} is a replica, and takes writes"}
    primary.ask("CREATE TABLE zuul.build (id INT PRIMARY KEY)")
    eventually(lambda: replica.ask("SHOW TABLES IN zuul"))
    replica.ask("INSERT INTO zuul.build VALUES (1)", "SET GLOBAL read_only = ON")
    primary.ask("INSERT INTO zuul.build VALUES (1)")
    eventually(lambda: not _sound(lab, "mysql"))
    said = lab.check("mysql", tmp_path).bad()["database-replication"]
    assert said.startswith(f"{name} does not replicate: from 127.0.0.1: receives: Yes, applies: No; ")
    assert "Duplicate entry '1'" in said
    replica.ask("DELETE FROM zuul.build", "START REPLICA")
    replica.ask("STOP REPLICA")
    said = lab.check("mysql", tmp_path).bad()["database-replication"]
    assert f"{name} does not replicate: from 127.0.0.1: receives: No, applies: No" in said
    replica.ask("START REPLICA")
    eventually(partial(_sound, lab, "mysql"))


def test_a_postgresql_standby_of_yesterdays_primary(lab: Lab, tmp_path: Path) -> None:
    """A failover that went half way: one standby was promoted, and the other one does not know."""
    old, standby = lab.pg
    with postgresql.standby_of(old, lab.authority, lab.tls.leaf) as new:
        promoted, left = f"db1.internal:{new.port}", lab.servers("postgresql")[1]
        both = partial(lab.check, "postgresql", tmp_path, servers=[*lab.servers("postgresql"), promoted])
        eventually(lambda: not both(min_replicas=2).bad())
        new.ask("SELECT pg_promote()")
        outcome = lab.check("postgresql", tmp_path, servers=[promoted, left], min_replicas=0)
    said = outcome.bad()["database-replication"]
    system = standby.ask("SELECT system_identifier FROM pg_control_system()")
    assert said.startswith(f"{left} receives from timeline 1 of system {system} (replayed up to ")
    assert said.endswith(f", and {promoted} is timeline 2 of system {system}")


def test_a_mariadb_replica_of_another_primary(lab: Lab, tmp_path: Path) -> None:
    """The primary has the replica that is wanted, but it is not the one that is named."""
    primary, replica = lab.maria
    first, second = lab.servers("mysql")
    with mariadb.replica_of(primary, lab.empty, lab.tls, 3) as between:
        third = f"db1.internal:{between.port}"
        eventually(lambda: not lab.check("mysql", tmp_path, servers=[first, second, third], min_replicas=2).bad())
        replica.ask("STOP REPLICA", f"CHANGE MASTER TO MASTER_PORT={between.port}", "START REPLICA")
        eventually(lambda: not lab.check("mysql", tmp_path, servers=[second, first, third]).bad())
        outcome = lab.check("mysql", tmp_path)
        replica.ask("STOP REPLICA", f"CHANGE MASTER TO MASTER_PORT={primary.port}", "START REPLICA")
    eventually(partial(_sound, lab, "mysql"))
    assert set(outcome.bad()) == {"database-replication"}
    said = outcome.bad()["database-replication"]
    assert said.startswith(f"{second} receives from server_id 3 (from 127.0.0.1: receives: Yes, applies: Yes), and ")
    assert said.endswith(f"{first} is server_id 1")


def test_servers_that_do_without_tls(lab: Lab, tmp_path: Path) -> None:
    said = lab.check("postgresql", tmp_path, user="lax").bad()
    assert said == {"database-plain": "takes connections without TLS: it would go on without TLS"}
    primary = lab.maria[0]
    primary.ask("SET GLOBAL require_secure_transport = OFF")
    said = lab.check("mysql", tmp_path).bad()
    primary.ask("SET GLOBAL require_secure_transport = ON")
    assert said == {"database-plain": "takes connections without TLS: require_secure_transport is OFF"}


def test_servers_that_offer_no_tls_are_not_sent_a_password(lab: Lab, tmp_path: Path) -> None:
    lab.pg[0].set("ssl", "off")
    said = lab.check("postgresql", tmp_path).bad()
    lab.pg[0].reset("ssl")
    assert said == {
        "database-servers": "the server offers no TLS",
        "database-replication": f"no server takes writes; {lab.servers('postgresql')[0]} does not tell its state",
    }
    with mariadb.mariadb(lab.empty, None) as server:
        server.ask(*mariadb.CONTENT)
        outcome = lab.check("mysql", tmp_path, servers=[f"db1.internal:{server.port}"])
    assert outcome.bad() == {"database-servers": "the server offers no TLS"}


def test_a_galera_cluster(lab: Lab, tmp_path: Path) -> None:
    with mariadb.mariadb(lab.empty, lab.tls, "--require-secure-transport", *galera_options()) as node:
        node.ask(*mariadb.CONTENT)
        place = f"db1.internal:{node.port}"
        one = lab.check("mysql", tmp_path, servers=[place], min_replicas=0, cluster_size=1)
        three = lab.check("mysql", tmp_path, servers=[place], min_replicas=0, cluster_size=3)
    assert one.bad() == {}
    assert "takes writes, Primary component of 1 nodes, Synced" in one.of("database-replication")[0][2]
    assert three.bad() == {"database-replication": f"{place} sees 1 nodes, 3 are wanted"}
    missing = lab.check("mysql", tmp_path, cluster_size=3).bad()["database-replication"]
    assert missing.startswith(f"{lab.servers('mysql')[0]} is no node of a Galera cluster; ")


@KINDS
def test_two_primaries(kind: str, lab: Lab, tmp_path: Path) -> None:
    """The last test, for the replicas are none any more after it."""
    if kind == "postgresql":
        lab.pg[1].ask("SELECT pg_promote()")
    else:
        lab.maria[1].ask("STOP REPLICA", "RESET REPLICA ALL")
        name = lab.servers(kind)[1]
        said = lab.check(kind, tmp_path).bad()["database-replication"]
        assert said.startswith(f"{name} takes no writes, and replicates nothing")
        lab.maria[1].ask("SET GLOBAL read_only = OFF")
    both = ", ".join(lab.servers(kind))
    said = lab.check(kind, tmp_path).bad()["database-replication"]
    assert said.startswith(f"2 servers take writes, and do not replicate each other: {both}")
