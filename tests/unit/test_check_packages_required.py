import pytest

from diskimage_validator.errors import ValidatorError
from diskimage_validator.model import Finding, Status
from tests.support import images
from tests.support.asking import ask, only
from tests.support.images import STATUS, stanza
from tests.support.memory_engine import Entry

CHECK = "packages-required"


def require(tree: dict[str, Entry], relation: str) -> Finding:
    return only(ask(CHECK, tree, images.policy(packages={"required": [relation]})))


@pytest.mark.parametrize(
    "relation",
    [
        "skopeo",
        "docker.io | podman",
        "skopeo (>= 1.9)",
        "skopeo (>> 1.9~)",
        "skopeo (<< 2)",
        "skopeo (= 1.9.3+ds1-1+b1)",
        "docker-ce (>= 24)",
        "docker-ce (>= 5:24)",
        "docker-ce (<< 6:1)",
        "jq (>= 2) | jq (>= 1)",
    ],
)
def test_what_is_installed_in_bounds_passes(tree: dict[str, Entry], relation: str) -> None:
    assert require(tree, relation).status is Status.PASS


@pytest.mark.parametrize(
    "relation", ["skopeo (>= 1.10)", "skopeo (<< 1.9.3)", "docker-ce (>= 6:1)", "podman (= 4.3.1)", "buildah"]
)
def test_what_is_not_installed_in_bounds_fails(tree: dict[str, Entry], relation: str) -> None:
    assert require(tree, relation).status is Status.FAIL


def test_the_finding_names_the_alternative_that_passed(tree: dict[str, Entry]) -> None:
    assert require(tree, "docker.io | podman").actual == "podman 4.3.1+ds1-8+b1"


def test_a_version_out_of_bounds_is_told(tree: dict[str, Entry]) -> None:
    message = require(tree, "skopeo (>= 1.10)").message
    assert message == "skopeo is installed in version 1.9.3+ds1-1+b1, not >= 1.10"


def test_a_removed_package_with_its_configuration_left_is_told(tree: dict[str, Entry]) -> None:
    tree[STATUS] = stanza("jq") + "\n" + stanza("skopeo", status="deinstall ok config-files")
    finding = require(tree, "skopeo")
    assert finding.status is Status.FAIL
    assert "was removed; only its configuration is left" in finding.message


@pytest.mark.parametrize(
    "words", ["install reinstreq half-installed", "install ok half-configured", "install ok unpacked"]
)
def test_an_installation_that_broke_off_is_told(tree: dict[str, Entry], words: str) -> None:
    tree[STATUS] = stanza("jq") + "\n" + stanza("skopeo", status=words)
    finding = require(tree, "skopeo")
    assert finding.status is Status.FAIL
    assert f"state {words.split()[2]}" in finding.message


def test_a_package_that_dpkg_wants_reinstalled_does_not_count(tree: dict[str, Entry]) -> None:
    tree[STATUS] = stanza("skopeo", status="install reinstreq installed")
    assert require(tree, "skopeo").status is Status.FAIL


def test_a_package_whose_file_is_still_there_but_which_dpkg_does_not_know_fails(tree: dict[str, Entry]) -> None:
    tree[STATUS] = stanza("jq")
    assert require(tree, "skopeo").message.startswith("dpkg does not know skopeo")


def test_the_shadow_of_another_architecture_does_not_hide_the_installed_one(tree: dict[str, Entry]) -> None:
    old = stanza("skopeo", status="deinstall ok config-files", architecture="i386")
    tree[STATUS] = old + "\n" + stanza("skopeo")
    assert require(tree, "skopeo").status is Status.PASS


def test_nothing_asked_is_skipped(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP


def test_an_rpm_system_whose_database_is_damaged_could_not_tell(tree: dict[str, Entry]) -> None:
    tree["/usr/lib/os-release"] = "ID=rocky\nVERSION_ID=9.4\n"
    tree["/var/lib/rpm/rpmdb.sqlite"] = b"damaged"
    with pytest.raises(ValidatorError, match=r"/var/lib/rpm/rpmdb\.sqlite: "):
        require(tree, "skopeo")
