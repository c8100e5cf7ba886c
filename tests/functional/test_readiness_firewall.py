"""The line Firewall, with real packets and filters: green, also with the element's own fence, and red for each way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.egress_lab import Lab
from tests.functional.readiness_gate import CANARIES, CANARY, LIMITS, MIRROR, behind, guarded, inside, resetting
from tests.functional.readiness_lab import readiness

RESOLVERS = {"resolvers": ["10.0.0.53", "fd00::53"]}
PASS = ("ip daddr {10.1.0.10, 10.0.0.53, 10.1.0.20} accept", "ip6 daddr {fd00::10, fd00::53} accept")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with guarded(tmp_path_factory.mktemp("lab")) as made:
        yield made


def closed(
    lab: Lab, folder: Path, *rules: str, canaries: list[Any] = CANARIES, **more: Any
) -> dict[str, tuple[str, str]]:
    """Return status and message by canary."""
    section = {"nodes": ["/"], "canaries": canaries, **more}
    outcome = behind(lab, folder, *rules, firewall=section)
    found = outcome.of("firewall-closed")
    return {subject.removesuffix(" from /"): (status, message) for subject, status, message in found}


def opened(lab: Lab, folder: Path, *rules: str, **sections: Any) -> list[tuple[str, str]]:
    """Return status and message of what has to be reachable."""
    outcome = behind(lab, folder, *rules, **{"firewall": {"nodes": ["/"]}, **sections})
    return [(status, message) for _, status, message in outcome.of("firewall-open")]


class TestTheElementsOwnFence:
    def test_it_passes(self, lab: Lab, tmp_path: Path) -> None:
        lab.fence("load")
        lab.fence("refresh")
        try:
            with inside(lab, "node"):
                section = {"nodes": ["/"], "canaries": CANARIES}
                paths = [{"address": CANARY, "port": 80, "note": "first packages", "closed_by": "2026-01-31"}]
                outcome = readiness(
                    tmp_path,
                    endpoints=[MIRROR, {"name": "10.1.0.20", "port": 5000}],
                    dns=RESOLVERS,
                    firewall=section,
                    bootstrap={"nodes": ["/"], "paths": paths},
                    limits=LIMITS,
                )
        finally:
            lab.nft("delete table inet egress_firewall")
        checks = ("firewall-open", "firewall-closed", "bootstrap-closed")
        said = [found for check in checks for found in outcome.of(check)]
        works = "while TCP connection to 10.1.0.10:443 works"
        works6 = "while TCP connection to [fd00::10]:443 works"
        denied = "the node's own firewall does not let it out"
        assert said == [
            ("10.1.0.10:443 (TCP) from /", "pass", "connected"),
            ("[fd00::10]:443 (TCP) from /", "pass", "connected"),
            ("10.1.0.20:5000 (TCP) from /", "pass", "connected"),
            ("10.0.0.53:53 (DNS) from /", "pass", "answered: NOERROR"),
            ("[fd00::53]:53 (DNS) from /", "pass", "answered: NOERROR"),
            ("10.1.0.11:443 (TCP) from /", "pass", f"no answer within 1.5 s, {works}"),
            ("[fd00::54]:443 (TCP) from /", "pass", f"no answer within 1.5 s, {works6}"),
            ("10.0.0.54:53 (DNS) from /", "pass", f"{denied}, {works}"),
            ("[fd00::54]:53 (DNS) from /", "pass", f"{denied}, {works6}"),
            ("10.1.0.11:80 (TCP) from /", "pass", f"no answer within 1.5 s, {works} (first packages)"),
        ]
        assert outcome.results[-1]["tried"] == "/: TCP connection to 10.1.0.11:80"


class TestReachable:
    @pytest.mark.parametrize(
        ("rule", "said"),
        [
            ("drop", "no answer within 1.5 s"),
            ("reject", "ICMP port unreachable, says 10.88.0.1"),
            (
                "reject with icmp type admin-prohibited",
                "ICMP communication administratively prohibited, says 10.88.0.1",
            ),
            ("reject with tcp reset", "refused with a TCP reset"),
        ],
    )
    def test_an_endpoint_is_behind_the_firewall(self, lab: Lab, tmp_path: Path, rule: str, said: str) -> None:
        rule = f"ip daddr 10.1.0.10 meta l4proto tcp {rule}"
        assert opened(lab, tmp_path, rule) == [("fail", said), ("pass", "connected")]

    def test_a_resolver_is_behind_the_firewall(self, lab: Lab, tmp_path: Path) -> None:
        found = opened(lab, tmp_path, "ip daddr 10.0.0.53 drop", "ip6 daddr fd00::53 reject", dns=RESOLVERS)
        assert found[2:] == [
            ("fail", "no answer within 1.5 s"),
            ("fail", "ICMP port unreachable, says fd88::1"),
        ]

    def test_other_troubles(self, lab: Lab, tmp_path: Path) -> None:
        reachable = ["10.1.0.10:81", "10.1.0.20:82", "nowhere.invalid:443"]
        lab.command("box", "ip", "route", "add", "prohibit", "10.1.0.20")
        try:
            found = opened(lab, tmp_path, endpoints=[], firewall={"nodes": ["/"], "reachable": reachable})
        finally:
            lab.command("box", "ip", "route", "delete", "prohibit", "10.1.0.20")
        assert found == [
            ("fail", "refused with a TCP reset"),
            ("fail", "the node has no way there (EACCES)"),
            ("fail", "nowhere.invalid does not resolve on the node"),
        ]

    def test_a_server_that_resets_what_it_took(self, lab: Lab, tmp_path: Path) -> None:
        firewall = {"nodes": ["/"], "reachable": ["10.1.0.20:83"]}
        with resetting(lab, "10.1.0.20", 83):
            found = opened(lab, tmp_path, endpoints=[], firewall=firewall)
        assert found == [("fail", "connected, and reset at once")]


class TestCanaries:
    def test_nothing_is_filtered(self, lab: Lab, tmp_path: Path) -> None:
        answered = "it works: something that is no DNS answered"
        assert closed(lab, tmp_path) == {
            "10.1.0.11:443 (TCP)": ("fail", "it works: connected"),
            "[fd00::54]:443 (TCP)": ("fail", "it works: connected"),
            "10.0.0.54:53 (DNS)": ("fail", answered),
            "[fd00::54]:53 (DNS)": ("fail", answered),
        }
        dns = [{"address": "10.0.0.53", "protocol": "dns"}]
        assert list(closed(lab, tmp_path, canaries=dns).values()) == [("fail", "it works: answered: REFUSED")]

    @pytest.mark.parametrize(
        ("rules", "said"),
        [
            (("drop",), ("no answer within 1.5 s", "no answer within 1.5 s")),
            (("reject",), ("ICMP port unreachable, says 10.88.0.1", "ICMP port unreachable, says fd88::1")),
            (
                ("reject with icmpx type admin-prohibited",),
                (
                    "ICMP communication administratively prohibited, says 10.88.0.1",
                    "ICMP communication administratively prohibited, says fd88::1",
                ),
            ),
        ],
    )
    def test_it_is_closed(self, lab: Lab, tmp_path: Path, rules: tuple[str, ...], said: tuple[str, str]) -> None:
        four, six = (
            f"{words}, while TCP connection to {place}:443 works"
            for words, place in zip(said, ("10.1.0.10", "[fd00::10]"), strict=True)
        )
        assert list(closed(lab, tmp_path, *PASS, *rules).values()) == [("pass", four), ("pass", six)] * 2

    def test_a_reset_may_be_the_canarys_own(self, lab: Lab, tmp_path: Path) -> None:
        rules, tcp = (*PASS, "meta l4proto tcp reject with tcp reset"), CANARIES[:2]
        doubt = "could not tell: refused with a TCP reset; it may be the host that says so, or a firewall in its name"
        assert list(closed(lab, tmp_path, *rules, canaries=tcp).values()) == [("error", doubt)] * 2
        found = closed(lab, tmp_path, *rules, canaries=tcp, reset_is_closed=True)
        assert [status for status, _ in found.values()] == ["pass", "pass"]

    def test_nobody_listens_there(self, lab: Lab, tmp_path: Path) -> None:
        """The path is open, and the canary itself says that nobody listens: no firewall has been seen."""
        canaries = [{"address": CANARY, "port": 81}, {"address": "10.1.0.10", "protocol": "dns"}]
        found = list(closed(lab, tmp_path, canaries=canaries).values())
        doubt = "it may be the host that says so, or a firewall in its name"
        assert found == [
            ("error", f"could not tell: refused with a TCP reset; {doubt}"),
            ("error", f"could not tell: the host itself answers: ICMP port unreachable; {doubt}"),
        ]

    def test_a_node_without_network_reaches_nothing_and_that_is_no_pass(self, lab: Lab, tmp_path: Path) -> None:
        found = closed(lab, tmp_path, "drop")
        doubt = "could not tell: no answer within 1.5 s; nothing that has to work does over IPv{} from this node"
        assert list(found.values()) == [("error", doubt.format(4)), ("error", doubt.format(6))] * 2

    def test_each_family_is_for_itself(self, lab: Lab, tmp_path: Path) -> None:
        found = closed(lab, tmp_path, PASS[0], "drop")
        assert [status for status, _ in found.values()] == ["pass", "error"] * 2

    def test_no_route_for_ipv6_is_enough_where_there_is_no_ipv6(self, lab: Lab, tmp_path: Path) -> None:
        lab.command("box", "ip", "-6", "route", "delete", "default")
        try:
            six = CANARIES[1::2]
            assert [status for status, _ in closed(lab, tmp_path, canaries=six).values()] == ["error"] * 2
            found = closed(lab, tmp_path, canaries=six, ipv6=False)
            assert list(found.values()) == [("pass", "the node has no way there (ENETUNREACH)")] * 2
        finally:
            lab.command("box", "ip", "-6", "route", "add", "default", "via", "fd88::1")

    def test_a_canary_that_takes_and_resets_connections(self, lab: Lab, tmp_path: Path) -> None:
        with resetting(lab, CANARY, 83):
            found = closed(lab, tmp_path, canaries=[{"address": CANARY, "port": 83}])
        (said,) = found.values()
        assert said[0] == "error"
        assert said[1].startswith("could not tell: connected, and reset at once; ")
