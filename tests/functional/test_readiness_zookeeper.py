"""Core services: a ZooKeeper ensemble of three real servers, once green, and once red for each way to fail."""

import datetime
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.security import make_digest_acl

from tests.elements.pki import DAY, Issued, make_ca, make_client
from tests.functional.ports import free_port
from tests.functional.readiness_lab import Outcome, dnsmasq, readiness
from tests.functional.zookeeper import ZooKeeper, ensemble, zookeeper

NAMES = ("zk1.internal", "zk2.internal", "zk3.internal")
DIGEST = "zuul:s3cret-of-zuul"
OPEN = "tickTime=500\nssl.clientAuth=none\nclientPort={port}\nclientPortAddress=127.0.0.1"
AUTHENTICATED = ("-Dzookeeper.enforce.auth.enabled=true", "-Dzookeeper.enforce.auth.schemes=digest")


@dataclass(frozen=True)
class Lab:
    """An ensemble, and ``other``: a server alone, of another CA, open to everybody, whose sessions need a digest."""

    folder: Path
    authority: Issued
    servers: list[ZooKeeper]
    other: ZooKeeper
    plain_port: int
    resolver: str

    def check(self, folder: Path, **rules: Any) -> Outcome:
        """Check the ensemble; ``rules`` are further or other ones, ``bundle`` is the factory's."""
        bundle = rules.pop("bundle", str(self.servers[0].folder / "ca.pem"))
        described = {"name": "zuul", "members": self.members, "client": client(self.servers[0].folder), **rules}
        described.setdefault("plain_port", None)
        return readiness(
            folder,
            dns={"resolvers": [self.resolver]},
            certificates={"bundle": bundle},
            limits={"timeout": 30},  # nothing here is silent, but this host may be busy
            services={"zookeeper": [described]},
        )

    @property
    def members(self) -> list[str]:
        """As the factory names them; the first is the leader."""
        return [f"{server.name}:{server.port}" for server in self.servers]


def client(folder: Path) -> dict[str, str]:
    return {"certificate": str(folder / "client.pem"), "key": f"file:{folder}/client.key"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder, authority = tmp_path_factory.mktemp("zookeeper"), make_ca("ZooKeeper ensemble CA")
    plain = free_port()
    names = [f"--host-record={name},127.0.0.1" for name in (*NAMES, "zk9.internal")]
    with (
        dnsmasq(*names) as resolver,
        ensemble(folder, authority, NAMES) as servers,
        zookeeper(folder / "other", "zk9.internal", OPEN.format(port=plain), AUTHENTICATED) as other,
    ):
        _make_chroot(servers[0])
        yield Lab(folder, authority, servers, other, plain, resolver)


def _make_chroot(server: ZooKeeper) -> None:
    files = {"ca": "ca.pem", "certfile": "client.pem", "keyfile": "client.key"}
    options = {option: str(server.folder / name) for option, name in files.items()}
    tree = KazooClient(f"127.0.0.1:{server.port}", use_ssl=True, **options)
    tree.start(timeout=20)
    tree.create("/zuul", b"", acl=[make_digest_acl(*DIGEST.split(":"), all=True)])
    tree.stop()
    tree.close()


def test_everything_is_as_it_should_be(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZK_DIGEST", DIGEST)
    outcome = lab.check(tmp_path, digest="env:ZK_DIGEST", chroot="/zuul", plain_port=free_port())
    assert outcome.bad() == {}
    assert outcome.status == 0
    members = outcome.of("zookeeper-members")
    assert [subject for subject, *_ in members] == [f"zuul: {member}" for member in lab.members]
    assert [message.partition(",")[0] for *_, message in members] == ["leader", "follower", "follower"]
    assert all("version 3.8.0" in message and "session opened and closed in" in message for *_, message in members)
    (_, _, message), *_ = outcome.of("zookeeper-quorum")
    assert message.startswith(f"{lab.members[0]} leads 2 others, version 3.8.0, zxids at most ")
    assert message.endswith(" apart, 2 of 2 followers synchronized, 3 vote")
    (_, _, doors), *_ = outcome.of("zookeeper-doors")
    assert "no answer without TLS" in doors
    assert "refused, nobody listens there" in doors
    assert DIGEST not in (tmp_path / "readiness.json").read_text()


def test_a_member_of_another_ca_fails_and_the_others_do_not(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(tmp_path, members=[*lab.members[:2], f"zk9.internal:{lab.other.port}"])
    statuses = [(status, message) for _, status, message in outcome.of("zookeeper-members")]
    assert [status for status, _ in statuses] == ["pass", "pass", "fail"]
    assert statuses[2][1] == "its certificate does not verify: unable to get local issuer certificate"
    assert outcome.bad()["zookeeper-quorum"] == "2 of 3 members serve, 3 are wanted"
    assert outcome.status == 1


def test_a_certificate_for_another_name(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(tmp_path, members=[*lab.members[:2], f"zk9.internal:{lab.servers[2].port}"])
    said = "its certificate does not verify: Hostname mismatch, certificate is not valid for 'zk9.internal'."
    assert outcome.bad()["zookeeper-members"] == said


def test_a_client_whose_certificate_has_expired(lab: Lab, tmp_path: Path) -> None:
    now = datetime.datetime.now(datetime.UTC)
    expired = make_client(lab.authority, "nodepool", now - 9 * DAY, now - 2 * DAY)
    (tmp_path / "client.pem").write_bytes(expired.cert_pem)
    (tmp_path / "client.key").write_bytes(expired.key_pem)
    outcome = lab.check(tmp_path, client=client(tmp_path))
    assert set(outcome.bad()) == {"zookeeper-members", "zookeeper-quorum"}
    said = outcome.bad()["zookeeper-members"]
    assert said.startswith("the server refuses this client: TLS: ")
    assert "certificate" in said


def test_members_that_are_not_there_or_not_named(lab: Lab, tmp_path: Path) -> None:
    closed, unknown = f"zk3.internal:{free_port()}", "zk4.internal"
    outcome = lab.check(tmp_path, members=[lab.members[0], closed, unknown], min_members=1)
    (_, one, _), (_, _, refused), (_, _, missing) = outcome.of("zookeeper-members")
    assert one == "pass"
    assert refused == "no connection to 127.0.0.1: refused, nobody listens there"
    assert missing.startswith("zk4.internal does not resolve (")
    outcome = lab.check(tmp_path, members=lab.members[:2], min_members=2)
    assert set(outcome.bad()) == {"zookeeper-quorum"}
    assert outcome.bad()["zookeeper-quorum"].startswith("3 members vote, and 2 are named: 127.0.0.1:")


def test_the_nodes_of_the_factory_are_missing_or_closed_to_this_client(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "digest").write_text("zuul:wrong-password\n")
    digest = f"file:{tmp_path}/digest"
    assert lab.check(tmp_path, chroot="/nodepool").bad() == {
        "zookeeper-members": "no proper session: there is no node /nodepool"
    }
    closed = {"zookeeper-members": "no proper session: this client may not read the node /zuul"}
    assert lab.check(tmp_path, chroot="/zuul", digest=digest).bad() == closed
    assert "wrong-password" not in (tmp_path / "readiness.json").read_text()


def alone(lab: Lab, folder: Path, **rules: Any) -> Outcome:
    place = {"members": [f"zk9.internal:{lab.other.port}"], "bundle": str(lab.other.folder / "ca.pem")}
    return lab.check(folder, **{**place, "client": client(lab.other.folder), "min_members": 1, **rules})


def test_sessions_that_are_refused(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZK_DIGEST", DIGEST)
    said = alone(lab, tmp_path).bad()["zookeeper-members"]
    assert said == "no proper session: the server ends sessions that do not authenticate themselves"
    assert alone(lab, tmp_path, digest="env:ZK_DIGEST").bad().keys() == {"zookeeper-doors"}


def test_a_server_that_lets_everybody_in(lab: Lab, tmp_path: Path) -> None:
    said = alone(lab, tmp_path, plain_port=lab.plain_port).bad()["zookeeper-doors"]
    assert said == f"without a certificate: it answers; port {lab.plain_port}: it answers without TLS"


def test_a_server_alone_is_no_ensemble(lab: Lab, tmp_path: Path) -> None:
    place = f"zk9.internal:{lab.other.port}"
    (tmp_path / "both.pem").write_bytes(lab.authority.cert_pem + (lab.other.folder / "ca.pem").read_bytes())
    said = lab.check(tmp_path, members=[lab.members[0], place], min_members=2, bundle=str(tmp_path / "both.pem")).bad()[
        "zookeeper-quorum"
    ]
    assert said.startswith(f"{place} is no member of an ensemble (standalone)")


def test_members_that_die(lab: Lab, tmp_path: Path) -> None:
    """The last test: of three, the third dies, and then the leader."""
    leader, _, follower = lab.servers
    follower.stop()
    outcome = lab.check(tmp_path)
    assert outcome.bad()["zookeeper-quorum"] == "2 of 3 members serve, 3 are wanted"
    assert lab.check(tmp_path, min_members=2).bad().keys() == {"zookeeper-members"}
    leader.stop()
    deadline = time.monotonic() + 20
    while lab.servers[1].mode():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    outcome = lab.check(tmp_path)
    assert outcome.bad()["zookeeper-quorum"] == "there is no leader; 0 of 3 members serve, 3 are wanted"
    said = [message for *_, message in outcome.of("zookeeper-members")]
    assert said.count("it serves nobody: it has no quorum, or has not found its leader") == 1
