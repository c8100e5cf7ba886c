"""egress-firewall: the rules that come of a site file, and what an image gets. tests/functional has the packets."""

import re

import pytest

from tests.elements.conftest import MakeRoot
from tests.elements.fakeroot import ELEMENTS, FakeRoot, Run

SITE_HOOK = "root.d/02-airgap-site"
RENDER = "root.d/05-egress-firewall"
INSTALL = "install.d/60-egress-firewall"
SERVICES = "post-install.d/80-egress-firewall-services"
STATIC = "install.d/10-install-static-files"
SITE = """\
version: 1
mirrors:
  apt:
    - uri: https://mirror.internal/debian
  pip: {index_url: "http://10.1.0.20:5000/simple", allow_plain_http: true}
registries:
  - prefix: images.internal
    location: registry.internal:5000/kolla
    mirrors: ["[fd00::20]:5000"]
egress:
  dns: [10.0.0.53, "fd00::53"]
  allow:
    - {cidr: 10.20.0.0/16, ports: [22]}
    - {host: ntp.internal, ports: [123], protocol: udp}
"""
UNITS = ELEMENTS / "egress-firewall/init-scripts/systemd"
NFTABLES_SERVICE = """\
[Unit]
DefaultDependencies=no
Before=network-pre.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/nftables.conf
ExecReload=/usr/sbin/nft -f /etc/nftables.conf
ExecStop=/usr/sbin/nft flush ruleset
"""


def render(root: FakeRoot, text: str) -> Run:
    """Write the site file and run the hooks that a build runs before anything is downloaded."""
    path = root.base / "site.yaml"
    path.write_text(text)
    environment = {"DIB_AIRGAP_SITE": str(path), "DISTRO_NAME": "debian"}
    checked = root.run_outside(SITE_HOOK, environment)
    assert checked.ok, checked.output
    return root.run_outside(RENDER, environment)


def rendered(root: FakeRoot, text: str = SITE) -> tuple[str, list[str]]:
    """Return the rules and the names that ``text`` gives."""
    run = render(root, text)
    assert run.ok, run.output
    files = root.hooks / "egress-firewall/files"
    return (files / "rules.nft").read_text(), (files / "names").read_text().splitlines()


def bake(root: FakeRoot, text: str = SITE) -> FakeRoot:
    """Run all that the element does to an image, but for enabling its units."""
    rendered(root, text)
    for hook in (STATIC, INSTALL):
        run = root.run_inside(hook)
        assert run.ok, run.output
    return root


def install_units(root: FakeRoot) -> None:
    """Put the units where dib-init-system puts them."""
    for unit in UNITS.iterdir():
        root.write(f"/usr/lib/systemd/system/{unit.name}", unit.read_text())


class TestRules:
    def test_names_are_left_to_the_node_to_look_up(self, fake_root: MakeRoot) -> None:
        _, names = rendered(fake_root("egress-firewall"))
        assert names == ["mirror.internal tcp 443", "ntp.internal udp 123", "registry.internal tcp 5000"]

    def test_addresses_and_networks_are_in_the_rules(self, fake_root: MakeRoot) -> None:
        rules, _ = rendered(fake_root("egress-firewall"))
        lines = {line.strip() for line in rules.splitlines()}
        assert lines >= {
            "ip daddr 10.1.0.20 tcp dport 5000 accept",
            "ip daddr 10.20.0.0/16 tcp dport 22 accept",
            "ip6 daddr fd00::20 tcp dport 5000 accept",
            "ip daddr 10.0.0.53 meta l4proto { tcp, udp } th dport 53 accept",
        }

    def test_what_images_are_called_is_no_place_to_reach(self, fake_root: MakeRoot) -> None:
        rules, names = rendered(fake_root("egress-firewall"))
        assert "images.internal" not in rules + "".join(names)

    def test_the_order_of_the_site_file_does_not_matter(self, fake_root: MakeRoot) -> None:
        entries = ["    - {cidr: 10.20.0.0/16, ports: [22, 80]}\n", "    - {host: git.internal}\n"]
        head = "version: 1\negress:\n  allow:\n"
        first = rendered(fake_root("egress-firewall"), head + "".join(entries))
        assert rendered(fake_root("egress-firewall"), head + "".join(reversed(entries))) == first

    def test_without_resolvers_those_of_the_node_count(self, fake_root: MakeRoot) -> None:
        rules, _ = rendered(fake_root("egress-firewall"), "version: 1\negress: {allow: [{host: git.internal}]}\n")
        dns = [line.strip() for line in rules.splitlines() if "dport 53" in line]
        assert dns == [
            "ip daddr @resolvers4 meta l4proto { tcp, udp } th dport 53 accept",
            "ip6 daddr @resolvers6 meta l4proto { tcp, udp } th dport 53 accept",
        ]

    @pytest.mark.parametrize("text", ["", "version: 1\n", "version: 1\negress: {dns: [10.0.0.53]}\n"])
    def test_a_site_that_allows_nothing_is_refused(self, fake_root: MakeRoot, text: str) -> None:
        run = render(fake_root("egress-firewall"), text)
        assert run.status == 1
        assert run.output.startswith("ERROR: egress-firewall: the site file has no mirror, no registry and no egress.")
        assert run.output.count("\n") == 1

    def test_no_site_file_is_refused(self, fake_root: MakeRoot) -> None:
        run = fake_root("egress-firewall").run_outside(RENDER, {"DIB_AIRGAP_SITE": ""})
        assert run.status == 1
        assert run.output == (
            "ERROR: egress-firewall: DIB_AIRGAP_SITE is empty; the site file says what the node may reach\n"
        )


class TestImage:
    def test_the_images_own_nft_accepts_the_rules(self, fake_root: MakeRoot) -> None:
        root = fake_root("egress-firewall")
        rendered(root)
        root.run_twice(INSTALL)
        assert root.read("/etc/egress-firewall/names").splitlines()[0] == "mirror.internal tcp 443"

    def test_rules_that_nft_refuses_end_the_build(self, fake_root: MakeRoot) -> None:
        root = fake_root("egress-firewall")
        rendered(root)
        rules = root.hooks / "egress-firewall/files/rules.nft"
        rules.write_text(rules.read_text().replace("dport 53", "dprt 53"))
        run = root.run_inside(INSTALL)
        assert run.status == 1
        assert run.output.splitlines()[-1] == "ERROR: egress-firewall: nft refuses the rules"

    def test_a_build_host_without_nftables_says_that_it_did_not_look(self, fake_root: MakeRoot) -> None:
        root = fake_root("egress-firewall")
        rendered(root)
        root.stand_in("nft", "exit 1")
        run = root.run_inside(INSTALL)
        assert run.ok, run.output
        assert "the rules are not checked" in run.output

    @pytest.mark.parametrize("family", ["debian", "redhat", "suse"])
    def test_units_start_at_boot(self, fake_root: MakeRoot, family: str) -> None:
        root = fake_root("egress-firewall", family)
        install_units(root)
        root.run_twice(SERVICES)
        links = {path.partition("/systemd/system/")[2] for path, entry in root.tree().items() if entry.kind == "l"}
        assert links >= {
            "sysinit.target.wants/egress-firewall.service",
            "multi-user.target.wants/egress-firewall-refresh.service",
            "timers.target.wants/egress-firewall-refresh.timer",
            "paths.target.wants/egress-firewall-refresh.path",
        }

    def test_systemd_finds_no_fault_in_the_units(self, fake_root: MakeRoot) -> None:
        root = bake(fake_root("egress-firewall"))
        install_units(root)
        root.write("/usr/lib/systemd/system/nftables.service", NFTABLES_SERVICE)
        names = " ".join(sorted(path.name for path in UNITS.iterdir()))
        root.add_hook("install.d/99-verify", f"systemd-analyze verify --man=no {names} nftables.service 2>&1")
        run = root.run_inside("install.d/99-verify")
        assert run.ok, run.output
        assert not [line for line in run.output.splitlines() if "egress" in line or "nftables" in line]

    def test_the_fence_is_up_before_the_network(self) -> None:
        unit = (UNITS / "egress-firewall.service").read_text()
        assert re.search(r"(?m)^Before=network-pre\.target$", unit)
        assert re.search(r"(?m)^DefaultDependencies=no$", unit)
