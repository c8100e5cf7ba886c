from dataclasses import replace

import pytest

from diskimage_validator.checks import CHECKS
from diskimage_validator.checks.base import Question
from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.packages import Package, Packages
from diskimage_validator.model import Finding, Status
from tests.support import images, pki
from tests.support.asking import ask, facts_of, failures, only
from tests.support.images import STATUS, stanza
from tests.support.memory_engine import Entry

CHECK = "packages-state"


def states(tree: dict[str, Entry], **rules: object) -> list[Finding]:
    return ask(CHECK, tree, images.policy(packages={"states": rules}))


def add(tree: dict[str, Entry], words: str, name: str = "broken") -> None:
    tree[STATUS] = str(tree[STATUS]) + "\n" + stanza(name, status=words)


def test_sound_packages_pass_in_one_line(tree: dict[str, Entry]) -> None:
    finding = only(states(tree))
    assert (finding.status, finding.message) == (Status.PASS, "5 packages are installed and configured")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("install ok half-installed", "broken is half-installed: its installation began and broke off"),
        ("install ok unpacked", "broken is unpacked: it was unpacked and never configured"),
        ("install ok half-configured", "broken is half-configured: its configuration began and broke off"),
        ("install ok triggers-awaited", "broken is triggers-awaited: it waits for another package's trigger"),
        ("install ok triggers-pending", "broken is triggers-pending: it has a trigger to run"),
        ("install ok \x1b[31m", "broken is \x1b[31m: that is no state that dpkg knows"),
        ("install reinstreq installed", "broken has to be reinstalled (reinstreq)"),
        ("deinstall ok installed", "broken is marked for removal (deinstall)"),
        ("purge ok installed", "broken is marked for removal (purge)"),
        ("hold ok installed", "broken is held: no update will reach it"),
        ("hold ok unpacked", "broken is unpacked: it was unpacked and never configured"),
    ],
)
def test_bad_states_fail(tree: dict[str, Entry], words: str, message: str) -> None:
    add(tree, words)
    finding = only(states(tree))
    assert (finding.status, finding.subject, finding.message) == (Status.FAIL, "broken:amd64", message)
    assert finding.hint


@pytest.mark.parametrize("pattern", ["broken", "bro*"])
def test_packages_that_may_be_held_pass(tree: dict[str, Entry], pattern: str) -> None:
    add(tree, "hold ok installed")
    finding = only(states(tree, held=[pattern]))
    assert (finding.status, finding.message) == (
        Status.PASS,
        "6 packages are installed and configured; 1 of them held, as allowed",
    )


def test_configuration_of_removed_packages_fails_only_if_asked(tree: dict[str, Entry]) -> None:
    add(tree, "deinstall ok config-files")
    assert only(states(tree)).message.endswith("; 1 removed, with their configuration left")
    assert only(states(tree, removed=False)).message == "broken was removed and left its configuration"


def test_a_package_that_dpkg_only_knows_by_name_is_no_fault(tree: dict[str, Entry]) -> None:
    add(tree, "purge ok not-installed")
    assert only(states(tree, removed=False)).status is Status.PASS


def test_every_bad_package_is_told(tree: dict[str, Entry]) -> None:
    add(tree, "install ok unpacked", "one")
    add(tree, "install ok unpacked", "two")
    assert [finding.subject for finding in failures(states(tree))] == ["one:amd64", "two:amd64"]


def rpm(*packages: Package) -> list[Finding]:
    facts = replace(facts_of(images.debian()), packages=Packages("rpm", "/var/lib/rpm/rpmdb.sqlite", packages))
    return list(CHECKS[CHECK].run(Question(facts, images.policy(packages={"states": {}}), pki.NOW)))


def test_rpm_packages_in_two_versions_fail() -> None:
    finding = only(rpm(Package("bash", "5.1-9", "x86_64"), Package("bash", "5.1-6", "x86_64")))
    assert (finding.subject, finding.status, finding.actual) == ("bash.x86_64", Status.FAIL, "5.1-9 and 5.1-6")


def test_rpm_kernels_and_architectures_may_be_several() -> None:
    kernels = [Package("kernel-core", version, "x86_64") for version in ("5.14-1", "5.14-2")]
    both = [Package("glibc", "2.34-1", architecture) for architecture in ("x86_64", "i686")]
    assert only(rpm(*kernels, *both)).status is Status.PASS


def test_a_damaged_database_could_not_tell(tree: dict[str, Entry]) -> None:
    tree[STATUS] = "x"
    with pytest.raises(ValidatorError, match="is no field"):
        states(tree)


def test_nothing_asked_is_skipped(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
