"""Core services: what a factory.yaml may say of them, and what servers say of themselves, also bad ones."""

from pathlib import Path

import pytest

from diskimage_validator.errors import PolicyError, UsageError
from diskimage_validator.readiness.document import parse_factory
from diskimage_validator.readiness.facts.zookeeper import (
    Followers,
    Status,
    parse_followers,
    parse_participants,
    parse_status,
)
from diskimage_validator.readiness.plan import plan_rows
from diskimage_validator.readiness.probes.mysql import stream_of
from diskimage_validator.readiness.secret import Secret
from tests.support import pki

SRVR = """\
Zookeeper version: 3.8.0-5a02a05eddb59aee6ac762f7ea82e92a68eb9c0f, built on 2022-02-25 08:49 UTC
Latency min/avg/max: 0/0.5/12
Received: 10
Sent: 9
Connections: 4
Outstanding: 0
Zxid: 0x500000013
Mode: follower
Node count: 5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "client.pem").write_bytes(pki.pem(pki.certificate("client", ca=False)))
    return tmp_path


def test_all_errors_about_services_are_told_at_once(folder: Path) -> None:
    text = """\
version: 1
name: test
services:
  zookeeper:
    - name: zuul
      members: [zk1.internal, "zk1.internal:2281", "zk2.internal:0"]
      client: {certificate: client.pem, key: s3cret}
    - name: other
      members: [zk1.internal, "zk1.internal:2281"]
      client: {certificate: client.pem, key: env:KEY}
      chroot: zuul/
  databases:
    - {name: zuul, kind: oracle, servers: [db1.internal], database: zuul, user: readiness, password: env:DB}
    - {name: a, kind: postgresql, servers: [db1.internal], database: zuul, user: readiness}
    - {name: b, kind: postgresql, servers: [db1], database: z, user: u, cluster_size: 3,
       client: {certificate: none.pem, key: env:K}}
  zookeepers: []
"""
    with pytest.raises(PolicyError) as caught:
        parse_factory(text, "factory.yaml", folder)
    said = caught.value.message
    assert "s3cret" not in said
    for expected in (
        "line 6: .services.zookeeper[0].members[2]: a server is wanted, such as 'db.internal' or 'db.internal:5432'",
        "line 7: .services.zookeeper[0].client.key: write file:PATH or env:VARIABLE, and never the secret itself",
        "line 11: .services.zookeeper[1].chroot: ",
        "line 13: .services.databases[0].kind: ",
        "line 14: .services.databases[1]: give 'password', 'client', or both",
        "line 15: .services.databases[2]: 'cluster_size' is of Galera clusters, kind 'mysql'",
        f"line 16: .services.databases[2].client.certificate: cannot read chain {folder}/none.pem: No such file",
        "line 17: .services.zookeepers: unknown key; did you mean 'zookeeper'?",
    ):
        assert expected in said
    enough = text[: text.index("      chroot")].replace(', "zk2.internal:0"', "").replace("s3cret", "env:KEY")
    with pytest.raises(PolicyError, match="1 'members' are named, and 'min_members' is 3"):
        parse_factory(enough, "factory.yaml", folder)


def test_the_plan_says_whom_it_would_ask_and_no_secret(folder: Path) -> None:
    text = """\
version: 1
name: test
services:
  zookeeper:
    - name: zuul
      members: [zk1.internal, "[2001:db8::2]:2282"]
      min_members: 2
      client: {certificate: client.pem, key: env:KEY}
      digest: env:DIGEST
      chroot: /zuul
  databases:
    - {name: zuul, kind: mysql, servers: [db1.internal], database: zuul, user: readiness, password: env:DB}
"""
    first, *rows = plan_rows(parse_factory(text, "factory.yaml", folder))
    assert first[2] == "DNS, A and AAAA of zk1.internal, db1.internal, to connect to them"
    asked = "srvr, mntr, opens a session, reads /zuul, closes it"
    assert rows[:2] == [
        ("Core services", target, f"ZooKeeper with TLS, client certificate client.pem: {asked}")
        for target in ("zk1.internal:2281", "[2001:db8::2]:2282")
    ]
    assert rows[2][2] == "ZooKeeper, srvr: with TLS and no client certificate, and without TLS on port 2281 and 2181"
    assert rows[4][1] == "db1.internal:3306"
    assert rows[4][2].startswith("MariaDB or MySQL with TLS: as readiness, the state of the server and of replication")


def test_what_a_member_says_of_itself() -> None:
    status = parse_status(SRVR)
    assert status == Status("follower", "3.8.0", 0x500000013, "0/0.5/12", 4)
    assert status.epoch == 5
    assert parse_followers("zk_version\t3.8\nzk_followers\t2\nzk_synced_followers\t1\n") == Followers(2, 1)
    assert parse_followers("zk_learners\t2.0\nzk_synced_followers\t2.0\n") == Followers(2, 2)
    config = "server.1=zk1:2888:3888:participant;0.0.0.0:2181\nserver.2=zk2:2888:3888:observer\nversion=0"
    assert parse_participants(config) == ("zk1:2888:3888",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "This ZooKeeper instance is not currently serving requests\n",
        SRVR.replace("0x500000013", "much"),
        SRVR.replace("Connections: 4", "Connections: many"),
        SRVR.replace("Mode: follower\n", ""),
        "Mode: " * 100_000,
        "\0\n" * 100_000,
    ],
)
def test_what_is_no_state_is_none(text: str) -> None:
    assert parse_status(text) is None
    assert parse_followers(text) is None
    assert parse_participants(text) == ()


def test_what_a_member_says_is_made_printable_and_short() -> None:
    status = parse_status(SRVR.replace("follower", "\x1b[31m" + "x" * 200))
    assert status is not None
    assert len(status.mode) < 80
    assert status.mode.isprintable()


@pytest.mark.parametrize(
    ("row", "running", "lag", "detail", "source"),
    [
        (
            {
                "Master_Host": "db1",
                "Slave_IO_Running": "Yes",
                "Slave_SQL_Running": "Yes",
                "Seconds_Behind_Master": 7,
                "Last_IO_Error": "",
                "Master_Server_Id": 7,
            },
            True,
            7.0,
            "from db1: receives: Yes, applies: Yes",
            "server_id 7",
        ),
        (
            {
                "Source_Host": "db1",
                "Replica_IO_Running": "Connecting",
                "Replica_SQL_Running": "Yes",
                "Seconds_Behind_Source": None,
                "Last_IO_Error": "error connecting\nto \x1b[1mdb1",
                "Source_Server_Id": 7,
                "Source_UUID": "3e11fa47\x1b[1m",
            },
            False,
            None,
            r"from db1: receives: Connecting, applies: Yes; error connecting to \x1b[1mdb1",
            r"server_uuid 3e11fa47\x1b[1m",
        ),
        ({"Master_Server_Id": 0, "Master_UUID": ""}, False, None, "from : receives: , applies:", ""),
        ({}, False, None, "from : receives: , applies:", ""),
    ],
)
def test_replicas_of_mariadb_and_mysql(
    row: dict[str, object], running: bool, lag: float | None, detail: str, source: str
) -> None:
    stream = stream_of(row)
    assert (stream.running, stream.lag, stream.detail, stream.source) == (running, lag, detail, source)


@pytest.mark.parametrize("content", [b"", b"\n", b"one\ntwo\n", b"a\0b", b"\xff\xfe"])
def test_a_password_is_one_line_of_text(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(b"s3cret word\r\n")
    assert Secret("file", "password").line(tmp_path) == "s3cret word"
    (tmp_path / "password").write_bytes(content)
    with pytest.raises(UsageError, match=r"^file:password: "):
        Secret("file", "password").line(tmp_path)
