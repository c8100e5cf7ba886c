from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from diskimage_validator.checks import CHECKS
from diskimage_validator.checks.base import Question
from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.packages import Package, Packages
from diskimage_validator.facts.rpm_database import RpmOrigin
from diskimage_validator.model import Finding, Status
from tests.support import images, pki
from tests.support.asking import ask, facts_of, failures, only
from tests.support.images import STATUS
from tests.support.memory_engine import Entry
from tests.unit.test_facts_apt_indices import LISTS, index

CHECK = "packages-origin"
MIRROR = f"{LISTS}/apt.mirror.internal_debian_dists_bookworm_main_binary-amd64_Packages"
OTHER = f"{LISTS}/apt.example.org_Packages"
DATABASE = Path(__file__).parents[1] / "data" / "rpmdb"
KEY = "199e2f91fd431d51"


def packages(*names: str) -> list[Package]:
    return [Package(name, images.PACKAGES[name], "amd64") for name in names or images.PACKAGES]


def origins(tree: dict[str, Entry], **rules: Sequence[str]) -> list[Finding]:
    return ask(CHECK, tree, images.policy(packages={"origins": rules}))


@pytest.mark.parametrize("pattern", ["apt.mirror.internal", "*.mirror.internal", "apt.mirror.internal/deb*"])
def test_packages_of_an_allowed_mirror_pass(tree: dict[str, Entry], pattern: str) -> None:
    tree |= {MIRROR: index(*packages()), OTHER: index(*packages("jq"))}
    finding = only(origins(tree, mirrors=[pattern]))
    assert (finding.status, finding.message) == (Status.PASS, "5 packages come from allowed mirrors")


def test_packages_of_another_mirror_fail_together(tree: dict[str, Entry]) -> None:
    tree |= {MIRROR: index(*packages("dpkg", "podman", "docker-ce")), OTHER: index(*packages("jq", "skopeo"))}
    finding = only(origins(tree, mirrors=["*.mirror.internal"]))
    assert (finding.status, finding.subject) == (Status.FAIL, "apt.example.org")
    assert finding.message == "2 packages from apt.example.org: skopeo, jq"


def test_a_package_in_no_index_fails(tree: dict[str, Entry]) -> None:
    tree[MIRROR] = index(*packages("dpkg", "podman", "skopeo", "jq"))
    finding = only(origins(tree, mirrors=["*.mirror.internal"]))
    assert (finding.status, finding.subject) == (Status.FAIL, "docker-ce")
    assert "is in none of apt's indices" in finding.message


def test_a_package_that_may_come_from_anywhere_passes(tree: dict[str, Entry]) -> None:
    tree |= {MIRROR: index(*packages("dpkg", "podman", "skopeo")), OTHER: index(*packages("jq"))}
    assert failures(origins(tree, mirrors=["*.mirror.internal"], local=["docker-*", "jq"])) == []


def test_no_index_tells_nothing(tree: dict[str, Entry]) -> None:
    finding = only(origins(tree, mirrors=["x"]))
    assert finding.status is Status.SKIP
    assert finding.message.endswith("/var/lib/apt/lists has no index")


def test_an_index_that_cannot_be_read_could_not_tell_of_what_is_in_no_other(tree: dict[str, Entry]) -> None:
    tree |= {f"{MIRROR}.lz4": b"x", OTHER: index(*packages("jq"))}
    found = origins(tree, mirrors=["*.mirror.internal"])
    assert [(finding.status, finding.subject) for finding in found] == [
        (Status.ERROR, "apt.mirror.internal/debian"),
        (Status.FAIL, "apt.example.org"),
    ]


def test_dpkg_knows_neither_vendors_nor_keys(tree: dict[str, Entry]) -> None:
    assert [finding.status for finding in origins(tree, vendors=["x"], keys=[KEY])] == [Status.SKIP, Status.SKIP]


def rpm(rules: dict[str, list[str]], *found: Package) -> list[Finding]:
    facts = replace(facts_of(images.debian()), packages=Packages("rpm", "/var/lib/rpm/rpmdb.sqlite", found))
    return list(CHECKS[CHECK].run(Question(facts, images.policy(packages={"origins": rules}), pki.NOW)))


def package(name: str, vendor: str = "Ours", key: str = KEY) -> Package:
    return Package(name, "1-1", "x86_64", rpm=RpmOrigin(vendor, "", "", key, None))


def test_rpm_packages_of_allowed_vendors_and_keys_pass() -> None:
    found = rpm({"vendors": ["Our*"], "keys": [f"{'0' * 24}{KEY}"], "mirrors": ["x"]}, package("a"), package("b"))
    assert [(finding.subject, finding.status) for finding in found] == [
        ("vendors", Status.PASS),
        ("keys", Status.PASS),
        ("mirrors", Status.SKIP),
    ]


def test_rpm_packages_of_other_vendors_fail_by_vendor() -> None:
    found = rpm({"vendors": ["Ours"], "local": ["free"]}, package("a", "X"), package("b", ""), package("free", "Y"))
    assert [(finding.subject, finding.message) for finding in found] == [
        ("X", "1 package of X: a"),
        ("no vendor", "1 package of no vendor: b"),
    ]


@pytest.mark.parametrize(
    ("key", "subject"), [("", "no key"), ("unknown", "key unknown"), ("0" * 16, "key 0000000000000000")]
)
def test_rpm_packages_of_other_keys_fail_by_key(key: str, subject: str) -> None:
    finding = only(rpm({"keys": [KEY]}, package("a"), package("b", key=key)))
    assert (finding.subject, finding.status) == (subject, Status.FAIL)


def test_only_some_of_many_are_named() -> None:
    message = only(rpm({"vendors": ["Ours"]}, *(package(f"p{n}", "X") for n in range(7)))).message
    assert message == "7 packages of X: p0, p1, p2, p3, p4, ..."


def test_a_key_is_written_in_full() -> None:
    with pytest.raises(ValueError, match="key id or fingerprint"):
        images.policy(packages={"origins": {"keys": ["fd431d51"]}})


def test_a_damaged_database_could_not_tell(tree: dict[str, Entry]) -> None:
    tree[STATUS] = "x"
    with pytest.raises(ValidatorError, match="is no field"):
        origins(tree, mirrors=["x"])


def test_nothing_asked_is_skipped(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP


def test_a_real_rpm_database_names_vendors_and_keys(tree: dict[str, Entry]) -> None:
    tree["/usr/lib/os-release"] = "ID=rocky\nVERSION_ID=9.4\n"
    tree["/var/lib/rpm/rpmdb.sqlite"] = (DATABASE / "rpmdb.sqlite").read_bytes()
    lines = (DATABASE / "packages.txt").read_text().splitlines()
    vendors, keys = ({line.split("\t")[column] for line in lines} for column in (3, 5))
    allowed = origins(tree, vendors=sorted(vendors), keys=sorted(keys))
    assert [finding.status for finding in allowed] == [Status.PASS, Status.PASS]
    refused = origins(tree, vendors=["Ours"], keys=[KEY])
    assert {finding.subject for finding in refused} == vendors | {f"key {key}" for key in keys}
