"""egress-firewall: the fence that it is, with real packets between network namespaces. See egress_lab.py."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.elements.fakeroot import FakeRoot
from tests.elements.test_egress_firewall import bake
from tests.functional.egress_lab import CONTAINER, Lab, running


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Return a lab whose node has the fence of ``SITE`` and has looked up its names."""
    folder = tmp_path_factory.mktemp("lab")
    root = bake(FakeRoot(folder / "build", "egress-firewall"))
    root.write("/etc/resolv.conf", "nameserver 10.0.0.53\n")
    root.write("/etc/hosts", "127.0.0.1 localhost\n")
    root.write("/var/lib/egress-firewall/addresses", "")
    with running(root, folder) as made:
        assert made.reaches("node", "10.1.0.11", 443), "the lab itself does not work"
        assert made.reaches("box", "fd00::10", 443), "the lab itself does not work"
        yield made


@pytest.fixture
def fenced(lab: Lab) -> Lab:
    """Return the lab in a known state: ``mirror.internal`` is 10.1.0.10 and fd00::10, and nothing was dropped yet."""
    lab.resolve(mirror="10.1.0.10 fd00::10", registry="10.1.0.20")
    lab.fence("load")
    lab.fence("refresh")
    return lab


@pytest.mark.parametrize("space", ["node", "box"])
class TestFence:
    """``node`` goes through the output hook, ``box`` is a container behind the node: the forward hook."""

    CHAIN = {"node": "output", "box": "forward"}  # noqa: RUF012 - never changed

    @pytest.mark.parametrize(
        ("address", "port"),
        [
            ("10.1.0.10", 443), ("fd00::10", 443),  # mirror.internal
            ("10.1.0.20", 5000), ("fd00::20", 5000), ("10.20.0.5", 22),
        ],
    )  # fmt: skip
    def test_what_the_site_allows_passes(self, fenced: Lab, space: str, address: str, port: int) -> None:
        assert fenced.reaches(space, address, port)
        assert fenced.dropped(self.CHAIN[space]) == 0

    @pytest.mark.parametrize(
        ("address", "port", "protocol"),
        [
            ("10.1.0.11", 443, "tcp"), ("fd00::54", 443, "tcp"),  # another address
            ("10.1.0.10", 80, "tcp"), ("fd00::10", 22, "tcp"), ("10.20.0.5", 443, "tcp"),  # another port
            ("10.1.0.10", 443, "udp"),  # another protocol
        ],
    )  # fmt: skip
    def test_all_else_is_dropped_and_counted(
        self, fenced: Lab, space: str, address: str, port: int, protocol: str
    ) -> None:
        assert not fenced.reaches(space, address, port, protocol)
        assert fenced.dropped(self.CHAIN[space]) > 0

    @pytest.mark.parametrize("protocol", ["udp", "tcp"])
    @pytest.mark.parametrize("address", ["10.0.0.5", "fd00::5"])
    def test_dns_goes_to_the_named_resolvers_only(self, fenced: Lab, space: str, address: str, protocol: str) -> None:
        assert fenced.reaches(space, f"{address}3", 53, protocol)
        assert not fenced.reaches(space, f"{address}4", 53, protocol)

    def test_metadata_is_for_the_node_and_not_for_its_containers(self, fenced: Lab, space: str) -> None:
        assert fenced.reaches(space, "169.254.169.254", 80) is (space == "node")
        assert not fenced.reaches(space, "169.254.169.254", 443)

    def test_dhcp_is_for_the_node_and_its_client_ports(self, fenced: Lab, space: str) -> None:
        assert fenced.reaches(space, "10.1.0.11", 67, "udp", source=68) is (space == "node")
        assert fenced.reaches(space, "fd00::54", 547, "udp", source=546) is (space == "node")
        assert not fenced.reaches(space, "10.1.0.11", 67, "udp")


class TestTraffic:
    def test_loopback_is_open(self, fenced: Lab) -> None:
        script = (
            "import socket; s = socket.create_server(('127.0.0.1', 9)); socket.create_connection(('127.0.0.1', 9), 1)"
        )
        fenced.command("node", "python3", "-c", script)
        assert fenced.dropped("output") == 0

    @pytest.mark.parametrize(("space", "address"), [("node", "10.9.0.1"), ("node", "fd09::1"), ("box", "10.88.0.2")])
    def test_whoever_is_let_in_gets_answers(self, fenced: Lab, space: str, address: str) -> None:
        serve = "import socket as s; s.create_server(('', 22, 0, 0), family=s.AF_INET6, dualstack_ipv6=True).accept()"
        with fenced.started(space, "python3", "-c", serve):
            while ":22 " not in fenced.command(space, "ss", "-tln"):
                time.sleep(0.05)
            assert fenced.reaches("world", address, 22)

    @pytest.mark.parametrize("address", CONTAINER)
    def test_the_node_reaches_its_containers(self, fenced: Lab, address: str) -> None:
        with pytest.raises(AssertionError, match="ConnectionRefusedError"):
            fenced.reaches("node", address, 443)
        assert fenced.dropped("output") == 0

    def test_a_bridge_with_the_way_out_on_it_is_no_network_of_containers(self, fenced: Lab) -> None:
        fenced.command("node", "ip", "route", "add", "10.0.0.0/8", "via", "10.9.0.254")
        fenced.command("node", "ip", "route", "replace", "default", "via", "10.88.0.2", "dev", "cni0")
        try:
            fenced.fence("refresh")
            assert not fenced.reaches("node", "192.0.2.1", 443)
            assert fenced.dropped("output") > 0
        finally:
            fenced.command("node", "ip", "route", "replace", "default", "via", "10.9.0.254", "dev", "uplink")
            fenced.command("node", "ip", "route", "delete", "10.0.0.0/8")

    def test_neighbours_are_found_again(self, fenced: Lab) -> None:
        fenced.command("node", "ip", "-6", "neighbour", "flush", "dev", "uplink")
        assert fenced.reaches("node", "fd00::10", 443)

    def test_the_tables_of_container_engines_stay_as_they_are(self, fenced: Lab) -> None:
        before = fenced.command("node", "nft", "list", "table", "inet", "engine")
        fenced.fence("load")
        fenced.fence("refresh")
        assert fenced.command("node", "nft", "list", "table", "inet", "engine") == before


class TestRefresh:
    def rules(self, lab: Lab) -> str:
        return lab.command("node", "nft", "--stateless", "list", "table", "inet", "egress_firewall")

    def test_doing_it_again_changes_nothing(self, fenced: Lab) -> None:
        fenced.reaches("node", "10.1.0.11", 443)
        before, count = self.rules(fenced), fenced.dropped("output")
        fenced.fence("refresh")
        assert self.rules(fenced) == before
        assert fenced.dropped("output") == count > 0
        fenced.fence("load")
        assert self.rules(fenced) == before

    def test_a_name_that_moves_takes_its_permission_along(self, fenced: Lab) -> None:
        fenced.resolve(mirror="10.1.0.11")
        fenced.fence("refresh")
        assert fenced.reaches("node", "10.1.0.11", 443)
        assert not fenced.reaches("node", "10.1.0.10", 443)

    def test_a_name_that_is_gone_keeps_its_addresses_and_the_log_says_so(self, fenced: Lab) -> None:
        fenced.resolve()
        said = fenced.fence("refresh")
        assert "<4>mirror.internal does not resolve, it keeps the addresses it had\n" in said
        assert fenced.reaches("node", "10.1.0.10", 443)
        assert not fenced.reaches("node", "10.1.0.11", 443)

    def test_a_reboot_without_dns_has_the_addresses_of_before(self, fenced: Lab) -> None:
        fenced.nft("delete table inet egress_firewall")
        fenced.resolve()
        fenced.fence("load")
        assert fenced.reaches("node", "10.1.0.10", 443)
        assert not fenced.reaches("node", "10.1.0.11", 443)

    def test_the_first_boot_has_the_fence_before_it_has_any_address(self, fenced: Lab) -> None:
        known = fenced.root.path / "var/lib/egress-firewall/addresses"
        known.unlink()
        fenced.fence("load")
        assert not fenced.reaches("node", "10.1.0.10", 443)
        assert fenced.reaches("node", "10.20.0.5", 22)

    def test_damaged_addresses_do_not_keep_the_fence_down(self, fenced: Lab) -> None:
        fenced.root.write("/var/lib/egress-firewall/addresses", "mirror.internal 10.1.0.999\n")
        fenced.nft("delete table inet egress_firewall")
        fenced.fence("load")
        assert not fenced.reaches("node", "10.1.0.11", 443)

    def test_rules_that_someone_deleted_come_back(self, fenced: Lab) -> None:
        before = self.rules(fenced)
        fenced.nft("delete table inet egress_firewall")
        assert fenced.reaches("node", "10.1.0.11", 443)
        assert "the rules are gone" in fenced.fence("refresh")
        assert self.rules(fenced) == before


def test_resolvers_of_the_node_count_if_the_site_names_none(tmp_path: Path) -> None:
    root = bake(
        FakeRoot(tmp_path / "build", "egress-firewall"), "version: 1\negress: {allow: [{host: mirror.internal}]}\n"
    )
    root.write("/etc/resolv.conf", "nameserver 10.0.0.53\nnameserver fe80::1%uplink\noptions edns0\n")
    root.write("/var/lib/egress-firewall/addresses", "")
    with running(root, tmp_path) as lab:
        lab.fence("load")
        lab.resolve(mirror="10.1.0.10")
        lab.fence("refresh")
        assert lab.reaches("node", "10.0.0.53", 53, "udp")
        assert not lab.reaches("node", "10.0.0.54", 53, "udp")
        root.write("/run/systemd/resolve/resolv.conf", "nameserver 10.0.0.54\n")
        lab.fence("refresh")
        assert lab.reaches("node", "10.0.0.54", 53, "udp")
        assert not lab.reaches("node", "10.0.0.53", 53, "udp")
