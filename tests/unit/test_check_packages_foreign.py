import pytest

from diskimage_validator.errors import ValidatorError
from diskimage_validator.model import Finding, Status
from tests.support import images
from tests.support.asking import ask, only
from tests.support.images import STATUS, stanza
from tests.support.memory_engine import Entry

CHECK = "packages-foreign"
ADDED = "/var/lib/dpkg/arch"


def foreign(tree: dict[str, Entry], *allowed: str) -> list[Finding]:
    return ask(CHECK, tree, images.policy(packages={"foreign_architectures": list(allowed)}))


def add(tree: dict[str, Entry], name: str, architecture: str, status: str = "install ok installed") -> None:
    tree[STATUS] = str(tree[STATUS]) + "\n" + stanza(name, status=status, architecture=architecture)


def test_packages_of_one_architecture_and_of_all_pass(tree: dict[str, Entry]) -> None:
    add(tree, "adduser", "all")
    tree[ADDED] = "amd64\n"
    finding = only(foreign(tree))
    assert (finding.status, finding.message) == (Status.PASS, "all are made for x86_64, or for all")


def test_a_package_of_another_architecture_fails(tree: dict[str, Entry]) -> None:
    add(tree, "libc6", "i386")
    finding = only(foreign(tree))
    assert (finding.status, finding.subject) == (Status.FAIL, "i386")
    assert finding.message == "1 package is for i386: libc6"


def test_only_some_of_many_are_named(tree: dict[str, Entry]) -> None:
    for number in range(7):
        add(tree, f"lib{number}", "i386")
    assert only(foreign(tree)).message == "7 packages are for i386: lib0, lib1, lib2, lib3, lib4, ..."


def test_an_allowed_architecture_passes(tree: dict[str, Entry]) -> None:
    add(tree, "libc6", "i386")
    assert only(foreign(tree, "i386")).status is Status.PASS


def test_an_architecture_that_was_added_without_packages_fails(tree: dict[str, Entry]) -> None:
    tree[ADDED] = "amd64\narm64\n"
    finding = only(foreign(tree))
    assert (finding.subject, finding.status) == ("arm64", Status.FAIL)
    assert finding.hint == "run dpkg --remove-architecture arm64 in the image"


def test_what_was_removed_does_not_count(tree: dict[str, Entry]) -> None:
    add(tree, "libc6", "i386", "deinstall ok config-files")
    assert only(foreign(tree)).status is Status.PASS


def test_a_damaged_database_could_not_tell(tree: dict[str, Entry]) -> None:
    tree[STATUS] = "x"
    with pytest.raises(ValidatorError, match="is no field"):
        foreign(tree)


def test_nothing_asked_is_skipped(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
