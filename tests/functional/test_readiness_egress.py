"""The lines Firewall and Bootstrap egress, through real proxies and over SSH: once green, and red for each reason."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.egress_lab import Lab
from tests.functional.readiness_gate import (
    CANARIES,
    CANARY,
    LIMITS,
    MIRROR,
    behind,
    gate,
    guarded,
    inside,
    login,
    node,
    tinyproxy,
)
from tests.functional.readiness_lab import readiness

PROXY = "10.1.0.20"
TARGET, OTHER = "10.1.0.10:443", "10.1.0.11:443"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with guarded(tmp_path_factory.mktemp("lab")) as made:
        yield made


class TestProxies:
    def outcome(self, lab: Lab, folder: Path, proxy: str, *rules: str, **more: Any) -> list[tuple[str, str]]:
        """Return status and message of what the proxy is asked for: first what it has to refuse, then the rest."""
        rule = {"proxy": proxy, "allowed": [TARGET], "refused": [OTHER], **more}
        outcome = behind(lab, folder, *rules, firewall={"nodes": ["/"], "endpoints": False, "proxies": [rule]})
        found = outcome.of("firewall-closed") + outcome.of("firewall-open")
        return [(status, message) for _, status, message in found]

    def test_a_proxy_with_an_access_list(self, lab: Lab, tmp_path: Path) -> None:
        (tmp_path / "list").write_text("^10[.]1[.]0[.]10$\n")
        settings = (f'Filter "{tmp_path}/list"', "FilterDefaultDeny Yes", "ConnectPort 443")
        with tinyproxy(lab, tmp_path, PROXY, 3128, *settings) as proxy:
            assert self.outcome(lab, tmp_path, proxy) == [
                (
                    "pass",
                    "the proxy says no (status 403), while CONNECT 10.1.0.10:443 to the proxy 10.1.0.20:3128 works",
                ),
                ("pass", "the proxy made a tunnel (status 200)"),
            ]
            swapped = self.outcome(lab, tmp_path, proxy, allowed=[OTHER], refused=[TARGET])
            assert swapped == [
                ("fail", "it works: the proxy made a tunnel (status 200)"),
                ("fail", "the proxy says no (status 403)"),
            ]

    def test_a_proxy_that_lets_everything_pass_and_fails(self, lab: Lab, tmp_path: Path) -> None:
        with tinyproxy(lab, tmp_path, PROXY, 3129) as proxy:
            found = self.outcome(lab, tmp_path, proxy, refused=["192.0.2.1:443"])
        failed = "could not tell: the proxy does not say no, but that it failed (status 500)"
        assert found[0][0] == "error"
        assert found[0][1].startswith(failed)

    def test_a_proxy_that_wants_to_know_who_asks(
        self, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with tinyproxy(lab, tmp_path, PROXY, 3130, "BasicAuth node s3cret") as proxy:
            unknown = self.outcome(lab, tmp_path, proxy)
            monkeypatch.setenv("PROXY_CREDENTIALS", "node:s3cret")
            known = self.outcome(lab, tmp_path, proxy, credentials="env:PROXY_CREDENTIALS")
        assert unknown[0][1].startswith("could not tell: the proxy wants to know who asks (status 407)")
        assert unknown[1] == ("fail", "the proxy wants to know who asks (status 407)")
        assert [message for _, message in known] == [
            "it works: the proxy made a tunnel (status 200)",
            "the proxy made a tunnel (status 200)",
        ]
        assert "s3cret" not in (tmp_path / "readiness.json").read_text()

    def test_what_is_no_proxy(self, lab: Lab, tmp_path: Path) -> None:
        found = self.outcome(lab, tmp_path, "10.1.0.20:5000")
        assert found[1] == ("fail", "the proxy took the connection, and ended it without an answer")
        assert self.outcome(lab, tmp_path, "10.0.0.53:53")[1][1].startswith("the proxy took the connection, and ")

    def test_a_proxy_whose_name_the_node_does_not_know(self, lab: Lab, tmp_path: Path) -> None:
        said = "nowhere.invalid does not resolve on the node"
        assert self.outcome(lab, tmp_path, "nowhere.invalid:3128") == [
            ("error", f"could not tell: {said}; so nothing was sent"),
            ("fail", said),
        ]

    def test_a_proxy_behind_the_firewall(self, lab: Lab, tmp_path: Path) -> None:
        found = self.outcome(lab, tmp_path, "10.1.0.20:5000", "ip daddr 10.1.0.20 drop")
        assert found == [
            ("error", "could not tell: no answer within 1.5 s; nothing that has to work does over IPv4 from this node"),
            ("fail", "no answer within 1.5 s"),
        ]


class TestBootstrap:
    PATHS = (
        {"address": CANARY, "port": 443, "note": "first packages", "closed_by": "2026-01-31"},
        {"address": "10.0.0.54", "protocol": "dns", "closed_by": "2999-01-31"},
        {"proxy": "10.1.0.20:3131", "target": OTHER},
    )

    def outcome(self, lab: Lab, folder: Path, *rules: str, **more: Any) -> list[tuple[str, str]]:
        outcome = behind(lab, folder, *rules, bootstrap={"nodes": ["/"], "paths": list(self.PATHS), **more})
        assert outcome.asked() == {"bootstrap-closed"}
        return [(status, message) for _, status, message in outcome.of("bootstrap-closed")]

    def test_all_is_still_open(self, lab: Lab, tmp_path: Path) -> None:
        with tinyproxy(lab, tmp_path, PROXY, 3131):
            first, second, third = self.outcome(lab, tmp_path)
        assert [one[0] for one in (first, second, third)] == ["fail"] * 3
        assert first[1].startswith("it works: connected; it had to be closed by 2026-01-31, ")
        assert first[1].endswith(" days ago (first packages)")
        assert second[1].endswith("; it had to be closed by 2999-01-31")
        assert third[1] == "it works: the proxy made a tunnel (status 200)"

    def test_the_firewall_has_closed_it_all(self, lab: Lab, tmp_path: Path) -> None:
        with tinyproxy(lab, tmp_path, PROXY, 3131):
            found = self.outcome(lab, tmp_path, "ip daddr 10.1.0.10 accept", "ip6 daddr fd00::10 accept", "reject")
        said = "ICMP port unreachable, says 10.88.0.1, while TCP connection to 10.1.0.10:443 works"
        assert found == [("pass", f"{said} (first packages)"), ("pass", said), ("pass", said)]

    def test_a_proxy_that_is_gone_while_its_path_is_open(self, lab: Lab, tmp_path: Path) -> None:
        third = self.outcome(lab, tmp_path)[2]
        assert third[0] == "error"
        assert third[1].startswith("could not tell: refused with a TCP reset; ")

    def test_a_node_without_network(self, lab: Lab, tmp_path: Path) -> None:
        assert [status for status, _ in self.outcome(lab, tmp_path, "drop")] == ["error"] * 3


class TestNodes:
    HOSTS = ("10.1.0.10 mirror.internal", "fd00::10 mirror.internal")
    MIRROR = {"name": "mirror.internal"}  # noqa: RUF012 - never changed

    def test_over_ssh_with_the_names_that_the_node_knows(self, lab: Lab, tmp_path: Path) -> None:
        rules = ("ip daddr 10.1.0.10 accept", "ip6 daddr fd00::10 accept", "drop")
        with gate(lab, *rules), inside(lab, "box"), node(tmp_path, self.HOSTS) as server:
            gone = "ssh://zuul@127.0.0.1:1"
            firewall = {"nodes": [server.url, gone], "canaries": CANARIES}
            outcome = readiness(tmp_path, *login(server), endpoints=[self.MIRROR], firewall=firewall, limits=LIMITS)
        (subject, status, message), unreachable = outcome.of("firewall-open")
        assert (subject, status) == (f"mirror.internal:443 (TCP) from {server.url}", "pass")
        assert sorted(message.split("; ")) == ["10.1.0.10: connected", "fd00::10: connected"]
        assert [status for _, status, _ in outcome.of("firewall-closed")] == ["pass"] * 4 + ["error"]
        assert unreachable[:2] == (gone, "error")
        assert unreachable[2].startswith("cannot reach 127.0.0.1 port 1")
        assert outcome.status == 3

    def test_one_address_of_a_name_does_not_answer(self, lab: Lab, tmp_path: Path) -> None:
        with gate(lab, "ip6 daddr fd00::10 drop"), inside(lab, "box"), node(tmp_path, self.HOSTS) as server:
            firewall = {"nodes": [server.url]}
            outcome = readiness(tmp_path, *login(server), endpoints=[self.MIRROR], firewall=firewall, limits=LIMITS)
        assert [found[1:] for found in outcome.of("firewall-open")] == [("fail", "fd00::10: no answer within 1.5 s")]

    def test_a_node_without_python(self, lab: Lab, tmp_path: Path) -> None:
        with inside(lab, "box"), node(tmp_path, self.HOSTS, python=False) as server:
            firewall = {"nodes": [server.url], "canaries": CANARIES}
            outcome = readiness(tmp_path, *login(server), endpoints=[MIRROR], firewall=firewall, limits=LIMITS)
        assert [found[1:] for found in outcome.of("firewall-closed")] == [("error", "python3: not found on the node")]
        assert outcome.status == 3
