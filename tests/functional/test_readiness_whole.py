"""The whole checklist: once green, and for every line of it once red with the right reason, the other lines green."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from diskimage_validator.readiness.checks import READINESS_CHECKS
from tests.elements.pki import Issued
from tests.functional.conftest import BuiltImage, RunValidator
from tests.functional.factory_document import document
from tests.functional.factory_lab import SECRETS, ZONE, FactoryLab, factory_lab
from tests.functional.factory_pages import IDENTITY
from tests.functional.readiness_gate import gate, login
from tests.functional.readiness_lab import Outcome, dnsmasq
from tests.support.factory_yaml import shown

GROUP = 4711
"""The validator runs with it, so that the packets that it sends are told from all others."""
CLOSED = (
    "ip daddr 10.1.0.11 tcp dport {80, 443} reject with icmp type admin-prohibited",
    "ip daddr 10.0.0.54 reject with icmp type admin-prohibited",
    "ip6 daddr fd00::54 reject with icmpv6 type admin-prohibited",
)
CONTACTS = f"""\
table inet contacts {{
    set tcp_ports {{ type ipv4_addr . inet_service; flags dynamic; size 4096; }}
    set udp_ports {{ type ipv4_addr . inet_service; flags dynamic; size 4096; }}
    chain output {{
        type filter hook output priority filter; policy accept;
        meta skgid {GROUP} tcp flags & (syn | ack) == syn add @tcp_ports {{ ip daddr . tcp dport }}
        meta skgid {GROUP} ip daddr 127.0.0.1 udp dport != 0 add @udp_ports {{ ip daddr . udp dport }}
    }}
}}
"""


@dataclass(frozen=True)
class Run(Outcome):
    """``reports`` by format; ``stderr`` as well."""

    reports: dict[str, str]


@dataclass(frozen=True)
class Factory:
    """The lab, and what a factory.yaml says of it; the node image and a report on it are there."""

    lab: FactoryLab
    image: Path
    report: Path

    @property
    def document(self) -> dict[str, Any]:
        """A new one, to be changed."""
        return document(self.lab, self.image, self.report)

    def run(self, folder: Path, changed: dict[str, Any] | None = None, closed: tuple[str, ...] = CLOSED) -> Run:
        """Check it all, with the node behind a firewall with the rules ``closed``; all reports go to ``folder``."""
        file = self.write(changed or self.document)
        reports = {name: folder / f"report.{name}" for name in ("text", "json", "junit", "html")}
        options = [f"--report={name}={path}" for name, path in reports.items()]
        with gate(self.lab.network, *closed):
            done = self.command(str(file), "--output", "/dev/null", *options, *login(self.lab.node))
        assert reports["json"].exists(), done.stderr
        found = {name: path.read_text() for name, path in reports.items()} | {"stderr": done.stderr}
        return Run(done.returncode, json.loads(found["json"])["results"], found)

    def plan(self) -> list[str]:
        """Return the lines of ``readiness plan``, without the last one."""
        done = self.command("plan", str(self.write(self.document)))
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[:-1]

    def write(self, content: dict[str, Any]) -> Path:
        file = self.lab.folder / "factory.yaml"
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        return file

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "diskimage_validator", "readiness", *arguments]
        environment = {**os.environ, **SECRETS}
        return subprocess.run(command, env=environment, group=GROUP, text=True, capture_output=True, check=False)


@pytest.fixture(scope="module")
def factory(node_image: BuiltImage, authority: Issued, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Factory]:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "validated").mkdir()
    assert RunValidator(node_image.authority, folder / "validated")(node_image.path).status == 0
    with factory_lab(folder, authority, node_image.path) as lab:
        yield Factory(lab, node_image.path, folder / "validated/report.json")


@pytest.fixture(scope="module")
def green(factory: Factory, tmp_path_factory: pytest.TempPathFactory) -> Run:
    factory.lab.network.command("box", "nft", CONTACTS)
    return factory.run(tmp_path_factory.mktemp("green"))


def test_the_factory_has_everything_that_init_shows(factory: Factory) -> None:
    example = yaml.safe_load(shown())
    assert set(example) == set(factory.document)
    for section in ("services", "dns", "certificates", "storage", "bootstrap", "limits"):
        assert set(example[section]) <= set(factory.document[section])


def test_the_whole_checklist_is_green(green: Run) -> None:
    assert green.bad() == {}
    assert green.status == 0
    assert green.asked() == set(READINESS_CHECKS)
    assert {one["status"] for one in green.results} == {"pass"}


def test_every_report_tells_it_and_nobody_tells_a_secret(factory: Factory, green: Run) -> None:
    for name in ("text", "junit", "html"):
        assert "zookeeper-quorum" in green.reports[name]
    for name, text in green.reports.items():
        assert [secret for secret in factory.lab.secrets if secret in text] == [], name


def contacted(lab: FactoryLab, kind: str) -> set[str]:
    """Return ADDRESS:PORT of whom the validator sent something to; sshd's children, on the node, are not counted."""
    said = json.loads(lab.network.command("box", "nft", "--json", "list", "set", "inet", "contacts", kind))
    (found,) = [one["set"].get("elem", []) for one in said["nftables"] if "set" in one]
    return {":".join(map(str, one["concat"])) for one in found}


def test_the_plan_names_whom_it_contacts_and_nobody_else(factory: Factory, green: Run) -> None:
    lab, rows = factory.lab, factory.plan()
    tried = {question for one in green.results for question in one["tried"].split("; ")}
    assert tried
    from_here = [row for row in rows if not row.startswith(("Firewall", "Bootstrap"))]
    named = {f"127.0.0.1:{port}" for row in from_here for port in re.findall(r"(?::|port \d+ and )(\d{4,5})\b", row)}
    # Whom clouds.yaml and the catalogue of the cloud name is known once they are read.
    behind_the_cloud = {f"127.0.0.1:{lab.cloud.url.rpartition(':')[2]}", f"127.0.0.1:{lab.ports['swift']}"}
    assert contacted(lab, "tcp_ports") == (named | behind_the_cloud) - set(lab.resolvers)
    assert contacted(lab, "udp_ports") == set(lab.resolvers)
    for number, resolver in enumerate(lab.resolvers):
        listed = [found[1] for row in rows if (found := re.search(rf" {resolver} +DNS, A and AAAA of (.*)", row))]
        names = {name for names in listed for name in names.removesuffix(", to connect to them").split(", ")}
        asked = set(re.findall(r"query\[A\] (\S+) from", (lab.folder / f"dns-{number}.log").read_text()))
        assert asked == {name for name in names if not name.startswith("Keystone and ")}
        assert len(asked) > len(listed)


def red(run: Run) -> dict[str, list[tuple[str, str]]]:
    """Return check to (status, message) of everything that is not well."""
    found: dict[str, list[tuple[str, str]]] = {}
    for one in run.results:
        if one["status"] != "pass":
            found.setdefault(one["check"], []).append((one["status"], one["message"]))
    return found


def test_dns_is_red_where_a_resolver_knows_the_world(factory: Factory, tmp_path: Path) -> None:
    with dnsmasq(*ZONE, "--address=/www.example.org/192.0.2.99") as leaking:
        changed = factory.document
        changed["dns"]["resolvers"].append(leaking)
        run = factory.run(tmp_path, changed)
    assert red(run) == {"dns-public": [("fail", "resolves to 192.0.2.99")]}
    assert run.status == 1


def test_certificates_are_red_where_one_ends_soon(factory: Factory, tmp_path: Path) -> None:
    changed = factory.document
    changed["certificates"]["min_days_left"] = 30
    changed["endpoints"][3]["port"] = factory.lab.ports["soon"]
    run = factory.run(tmp_path, changed)
    assert set(red(run)) == {"tls-expiry"}
    ((status, message),) = red(run)["tls-expiry"]
    assert status == "fail"
    assert message.startswith("CN=mirror.internal is valid for 9 days, until ")


def test_storage_is_red_where_there_is_no_room(factory: Factory, tmp_path: Path) -> None:
    changed = factory.document
    changed["storage"]["mirrors"] = [{"name": "elsewhere", "quota": "10 kB"}]
    run = factory.run(tmp_path, changed)
    assert set(red(run)) == {"storage-room"}
    assert red(run)["storage-room"][0][0] == "fail"
    assert "9.8 KiB for 1" in red(run)["storage-room"][0][1]


def test_the_node_image_is_red_where_the_cloud_has_taken_it_away(factory: Factory, tmp_path: Path) -> None:
    body = factory.lab.cloud.images[IDENTITY].body
    body["status"] = "deactivated"
    run = factory.run(tmp_path)
    body["status"] = "active"
    assert set(red(run)) == {"image-served"}
    assert [status for status, _ in red(run)["image-served"]] == ["fail", "fail"]
    assert all("the cloud says that it is deactivated" in message for _, message in red(run)["image-served"])


@pytest.mark.parametrize(
    ("place", "check", "said"),
    [("443", "firewall-closed", "it works: connected"), ("80", "bootstrap-closed", "it works: connected")],
)
def test_firewall_and_bootstrap_egress_are_red_where_something_is_open(
    factory: Factory, tmp_path: Path, place: str, check: str, said: str
) -> None:
    run = factory.run(tmp_path, closed=(f"ip daddr 10.1.0.11 tcp dport {place} accept", *CLOSED))
    assert set(red(run)) == {check}
    ((status, message),) = red(run)[check]
    assert status == "fail"
    assert message.startswith(said)


def test_core_services_are_red_where_a_server_is_dead(factory: Factory, tmp_path: Path) -> None:
    """The last test: a follower of the ensemble dies, and hides nobody else."""
    factory.lab.members[2].stop()
    run = factory.run(tmp_path)
    refused = "no connection to 127.0.0.1: refused, nobody listens there"
    seen = f"there was no way to it, see zookeeper-members: without a certificate: {refused}"
    assert red(run) == {
        "zookeeper-members": [("fail", refused)],
        "zookeeper-quorum": [("fail", "2 of 3 members serve, 3 are wanted")],
        "zookeeper-doors": [("skip", seen)],
    }
    assert run.status == 1
