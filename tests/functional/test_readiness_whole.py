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
from tests.functional.factory_lab import SECRETS, FactoryLab, factory_lab
from tests.functional.readiness_gate import gate, login
from tests.functional.readiness_lab import Outcome, dnsmasq
from tests.support.factory_yaml import shown

GROUP = 4711
"""The validator runs with it, so that the packets that it sends are told from all others."""
CLOSED = (
    "ip daddr 10.1.0.11 tcp dport {80, 443} reject with icmp type admin-prohibited",
    "ip daddr 10.0.0.54 reject with icmp type admin-prohibited",
    "ip6 daddr fd00::54 drop",
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
def factory(
    node_image: BuiltImage, authority: Issued, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Factory]:
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
    named = {f"127.0.0.1:{port}" for row in from_here for port in re.findall(r":(\d{4,5})\b", row)}
    # Whom clouds.yaml and the catalogue of the cloud name is known once they are read.
    behind_the_cloud = {f"127.0.0.1:{lab.cloud.url.rpartition(':')[2]}", f"127.0.0.1:{lab.ports['swift']}"}
    assert contacted(lab, "tcp_ports") == (named | behind_the_cloud) - set(lab.resolvers)
    assert contacted(lab, "udp_ports") == set(lab.resolvers)
