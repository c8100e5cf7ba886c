"""Verdicts about ensembles and databases in states that a test cannot bring servers into."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding
from diskimage_validator.readiness.asking import Ask, Evidence, Seen
from diskimage_validator.readiness.checks import READINESS_CHECKS
from diskimage_validator.readiness.checks.base import Question
from diskimage_validator.readiness.document import parse_factory
from diskimage_validator.readiness.facts.databases import Cluster, DatabaseServer, Receivers, Stream
from diskimage_validator.readiness.facts.tls import Knock
from diskimage_validator.readiness.facts.trouble import Trouble
from diskimage_validator.readiness.facts.zookeeper import AskDoors, AskMember, Doors, Followers, Member, Status
from tests.support import pki

ZOOKEEPER = """\
version: 1
name: test
services:
  zookeeper:
    - {name: zuul, members: [a, b, c], client: {certificate: client.pem, key: "env:KEY"}}
"""
DATABASES = """\
version: 1
name: test
services:
  databases:
    - {name: zuul, kind: mysql, servers: [a, b], database: z, user: u, password: env:P, min_replicas: 1%s}
"""
VOTING = ("a:1:2", "b:1:2", "c:1:2")
LEADER = Member(Status("leader", "3.8.0", 0x500000009, "0/0/0", 1), participants=VOTING)
FOLLOWER = Member(Status("follower", "3.8.0", 0x500000009, "0/0/0", 1), participants=VOTING)
DOWN = Member(trouble=Trouble("refused", "no connection"))
SHUT, UNTOLD = Knock("refused", "no"), Knock("failed", "silent")
FROM_A = Stream(True, 0.0, "from a", "server_id 1")
PRIMARY = DatabaseServer("MariaDB 10", "TLSv1.3", True, receivers=Receivers(1), identity="server_id 1")
REPLICA = DatabaseServer("MariaDB 10", "TLSv1.3", streams=(FROM_A,), receivers=Receivers(0), identity="server_id 2")
STANDBY = DatabaseServer(
    "PostgreSQL 15",
    "TLSv1.3",
    streams=(Stream(True, 0.0, "replayed up to 0/3", "timeline 1 of system 7"),),
    receivers=Receivers(0),
    identity="timeline 1 of system 7",
)
PROMOTED = replace(PRIMARY, identity="timeline 2 of system 7")
NODE = DatabaseServer("MariaDB 10", "TLSv1.3", True, cluster=Cluster(3, "Primary", "Synced", True))
ALONE = replace(NODE, cluster=Cluster(1, "Primary", "Synced", True))


def judged(check: str, text: str, folder: Path, facts: Mapping[str, Any]) -> list[Finding]:
    """Return what ``check`` says where each host (the name of a server) gave a fact, or facts by their questions."""
    (folder / "client.pem").write_bytes(pki.pem(pki.certificate("client", ca=False)))
    factory = parse_factory(text, "factory.yaml", folder)
    asks = list(READINESS_CHECKS[check].asks(factory))
    seen = Seen({ask: Evidence(ask, _fact(ask, facts[ask.target.partition(":")[0]]), "now") for ask in asks})
    findings = list(READINESS_CHECKS[check].run(Question(factory, seen, datetime.now(UTC))))
    assert [one for one in findings if str(one.status) in ("fail", "error") and not one.hint] == []
    return findings


def _fact(ask: Ask[Any], facts: Any) -> Any:
    return facts[type(ask)] if isinstance(facts, dict) else facts


def state(fact: Member, **changes: Any) -> Member:
    assert fact.status
    return replace(fact, status=replace(fact.status, **changes))


@pytest.mark.parametrize(
    ("a", "b", "c", "said"),
    [
        (LEADER, FOLLOWER, FOLLOWER, "a:2281 leads 2 others, version 3.8.0, zxids at most 0 apart, 3 vote"),
        (LEADER, FOLLOWER, state(FOLLOWER, zxid=0x500000002), "a:2281 leads 2 others, version 3.8.0, zxids at most 7"),
        (LEADER, LEADER, FOLLOWER, "2 leaders: a:2281, b:2281"),
        (LEADER, FOLLOWER, DOWN, "2 of 3 members serve, 3 are wanted"),
        (DOWN, DOWN, DOWN, "there is no leader; 0 of 3 members serve, 3 are wanted"),
        (LEADER, FOLLOWER, state(FOLLOWER, mode="observer"), "2 of 3 members serve, 3 are wanted"),
        (LEADER, FOLLOWER, state(FOLLOWER, version="3.9.2"), "versions differ: 3.8.0: a:2281, b:2281; 3.9.2: c:2281"),
        (LEADER, FOLLOWER, state(FOLLOWER, zxid=0x400000009), "c:2281 follows in epoch 4, the leader leads in epoch 5"),
        (replace(LEADER, followers=Followers(2, 1)), FOLLOWER, FOLLOWER, "1 of 2 followers have all that a:2281 has"),
        (LEADER, FOLLOWER, replace(FOLLOWER, participants=("c:1:2",)), "members do not agree about who votes: a:2281:"),
    ],
)
def test_ensembles(a: Member, b: Member, c: Member, said: str, tmp_path: Path) -> None:
    (finding,) = judged("zookeeper-quorum", ZOOKEEPER, tmp_path, {"a": a, "b": b, "c": c})
    assert finding.message.startswith(said)
    assert str(finding.status) == ("pass" if "leads 2 others" in said else "fail")
    assert bool(finding.hint) == (str(finding.status) == "fail")


@pytest.mark.parametrize(
    ("stranger", "plain", "member", "status", "said"),
    [
        (SHUT, SHUT, FOLLOWER, "pass", "without a certificate: no"),
        (SHUT, SHUT, DOWN, "pass", "without a certificate: no"),
        (UNTOLD, SHUT, DOWN, "skip", "there was no way to it, see zookeeper-members: without a certificate: silent"),
        (UNTOLD, SHUT, FOLLOWER, "error", "could not tell: without a certificate: silent"),
        (
            UNTOLD,
            SHUT,
            Unreadable("no key", "", "UsageError"),
            "error",
            "could not tell: without a certificate: silent",
        ),
        (UNTOLD, Knock("accepted", "it answers"), DOWN, "fail", "port 2181: it answers"),
    ],
)
def test_doors(stranger: Knock, plain: Knock, member: Any, status: str, said: str, tmp_path: Path) -> None:
    facts = {AskDoors: Doors(stranger, ((2281, SHUT), (2181, plain))), AskMember: member}
    findings = judged("zookeeper-doors", ZOOKEEPER, tmp_path, dict.fromkeys("abc", facts))
    assert [str(finding.status) for finding in findings] == [status] * 3
    assert findings[0].message.startswith(said)


@pytest.mark.parametrize(
    ("rules", "a", "b", "status", "said"),
    [
        ("", PRIMARY, REPLICA, "pass", "a:3306: takes writes, 1 replica receives; b:3306: read-only, from a, lag 0 s"),
        ("", PRIMARY, replace(REPLICA, streams=(replace(FROM_A, lag=61),)), "fail", "b:3306 is 61 s behind"),
        (
            ", max_lag: 90",
            PRIMARY,
            replace(REPLICA, streams=(replace(FROM_A, lag=61),)),
            "pass",
            "a:3306: takes writes",
        ),
        (
            "",
            PRIMARY,
            replace(REPLICA, streams=(replace(FROM_A, lag=None),)),
            "fail",
            "b:3306 does not know how far it",
        ),
        ("", replace(PRIMARY, receivers=Receivers(1, "", 99)), REPLICA, "fail", "a replica of a:3306 is 99 s behind"),
        ("", PRIMARY, PRIMARY, "fail", "2 servers take writes, and do not replicate each other: a:3306, b:3306"),
        ("", replace(PRIMARY, receivers=None, missing="MONITOR"), REPLICA, "error", "u may not see replication on a"),
        ("", DatabaseServer(trouble=Trouble("denied", "no")), REPLICA, "fail", "no server takes writes"),
        ("", PRIMARY, DatabaseServer(trouble=Trouble("denied", "no")), "fail", "b:3306 does not tell its state"),
        ("", NODE, DatabaseServer(trouble=Trouble("denied", "no")), "fail", "b:3306 does not tell its state"),
        ("", ALONE, ALONE, "fail", "a:3306 sees 1 nodes, 2 are wanted; b:3306 sees 1 nodes, 2 are wanted"),
        ("", NODE, NODE, "pass", "a:3306: takes writes, Primary component of 3 nodes, Synced; b:3306: "),
        (", cluster_size: 4", NODE, NODE, "fail", "a:3306 sees 3 nodes, 4 are wanted; b:3306 sees 3 nodes"),
        ("", NODE, replace(NODE, writable=False), "fail", "b:3306 is read-only"),
        (
            "",
            NODE,
            replace(NODE, cluster=Cluster(1, "non-Primary", "Initialized", False)),
            "fail",
            "b:3306 is no sound node of the cluster: non-Primary, Initialized, not ready",
        ),
    ],
)
def test_replication(rules: str, a: DatabaseServer, b: DatabaseServer, status: str, said: str, tmp_path: Path) -> None:
    (finding,) = judged("database-replication", DATABASES % rules, tmp_path, {"a": a, "b": b})
    assert finding.message.startswith(said)
    assert str(finding.status) == status
    assert bool(finding.hint) == (status != "pass")


@pytest.mark.parametrize("rules", ["", ", min_replicas: 1"])
@pytest.mark.parametrize(
    ("a", "b", "c", "said"),
    [
        (PRIMARY, REPLICA, replace(REPLICA, identity="server_id 3"), "b:3306, c:3306: 2 say that they receive, 1 are"),
        (replace(PRIMARY, receivers=Receivers(2)), REPLICA, replace(REPLICA, identity="server_id 3"), ""),
        (
            PRIMARY,
            replace(REPLICA, streams=(Stream(True, 0.0, "from old-primary.internal", "server_id 9"),)),
            replace(REPLICA, identity="server_id 3"),
            "b:3306 receives from server_id 9 (from old-primary.internal), and a:3306 is server_id 1",
        ),
        (
            replace(PRIMARY, receivers=Receivers(2)),
            replace(REPLICA, streams=(replace(FROM_A, source=""),)),
            replace(REPLICA, identity="server_id 3"),
            "b:3306 receives from an unknown server (from a), and a:3306 is server_id 1",
        ),
        (  # Each of them from the other one, and nothing from the primary.
            PRIMARY,
            replace(REPLICA, streams=(replace(FROM_A, source="server_id 3"),)),
            replace(REPLICA, streams=(replace(FROM_A, source="server_id 2"),), identity="server_id 3"),
            "b:3306 receives from server_id 3 (from a), and a:3306 is server_id 1; c:3306 receives from server_id 2 (",
        ),
        (  # A chain, whose end comes first.
            PRIMARY,
            replace(REPLICA, streams=(replace(FROM_A, source="server_id 3"),)),
            replace(REPLICA, receivers=Receivers(1), identity="server_id 3"),
            "",
        ),
        (
            PROMOTED,
            STANDBY,
            replace(
                STANDBY,
                streams=(replace(STANDBY.streams[0], source=PROMOTED.identity),),
                identity=PROMOTED.identity,
            ),
            "b:3306 receives from timeline 1 of system 7 (replayed up to 0/3), and a:3306 is timeline 2 of system 7",
        ),
        (
            replace(PRIMARY, identity="timeline 1 of system 8", receivers=Receivers(2)),
            STANDBY,
            STANDBY,
            "b:3306 receives from timeline 1 of system 7 (replayed up to 0/3), and a:3306 is timeline 1 of system 8",
        ),
    ],
)
def test_whom_replicas_receive_from(
    rules: str, a: DatabaseServer, b: DatabaseServer, c: DatabaseServer, said: str, tmp_path: Path
) -> None:
    text = DATABASES.replace("[a, b]", "[a, b, c]").replace(", min_replicas: 1", "") % rules
    (finding,) = judged("database-replication", text, tmp_path, {"a": a, "b": b, "c": c})
    assert str(finding.status) == ("fail" if said else "pass")
    assert finding.message.startswith(said or "a:3306: takes writes")
    assert bool(finding.hint) == bool(said)


@pytest.mark.parametrize(
    ("check", "text", "said"),
    [
        ("zookeeper-quorum", ZOOKEEPER, "could not ask 1 of 3 members, see zookeeper-members"),
        ("database-replication", DATABASES % "", "1 of 2 servers told their state, see database-servers"),
    ],
)
def test_one_that_could_not_be_asked_is_told_where_to_look(check: str, text: str, said: str, tmp_path: Path) -> None:
    sound = FOLLOWER if check.startswith("zookeeper") else PRIMARY
    facts = {"a": sound, "b": Unreadable("no key", "", "UsageError"), "c": sound}
    (finding,) = judged(check, text, tmp_path, facts)
    assert (str(finding.status), finding.message) == ("error", said)


def test_what_a_server_does_without_tls_may_not_be_known(tmp_path: Path) -> None:
    facts = {"a": replace(PRIMARY, plain=UNTOLD), "b": replace(REPLICA, plain=SHUT)}
    first, second = judged("database-plain", DATABASES % "", tmp_path, facts)
    assert (str(first.status), first.message) == ("error", "could not tell: silent")
    assert str(second.status) == "pass"


def test_who_may_not_know_the_source_cannot_tell(tmp_path: Path) -> None:
    blind = replace(STANDBY, streams=(replace(STANDBY.streams[0], source=""),), identity="", missing="pg_monitor")
    facts = {"a": replace(PRIMARY, identity="timeline 1 of system 7"), "b": blind}
    (finding,) = judged("database-replication", DATABASES % "", tmp_path, facts)
    assert (str(finding.status), finding.message) == ("error", "u may not see replication on b:3306")
