import pytest

from diskimage_validator.errors import ValidatorError
from diskimage_validator.model import Finding, Status
from tests.support import images
from tests.support.asking import ask, only
from tests.support.images import STATUS, stanza
from tests.support.memory_engine import Entry

CHECK = "packages-forbidden"


def forbid(tree: dict[str, Entry], relation: str) -> list[Finding]:
    return ask(CHECK, tree, images.policy(packages={"forbidden": [relation]}))


@pytest.mark.parametrize(
    "relation", ["telnetd", "skopeo (<< 1.9)", "skopeo (>> 2)", "docker-ce (<< 24)", "*-dev", "docker-c? (= 1)"]
)
def test_what_is_not_there_passes(tree: dict[str, Entry], relation: str) -> None:
    finding = only(forbid(tree, relation))
    assert (finding.status, finding.subject) == (Status.PASS, relation)


@pytest.mark.parametrize(
    ("relation", "name"),
    [("jq", "jq"), ("skopeo (<< 1.10)", "skopeo"), ("docker-ce (>= 24)", "docker-ce"), ("pod*", "podman")],
)
def test_what_is_there_fails(tree: dict[str, Entry], relation: str, name: str) -> None:
    finding = only(forbid(tree, relation))
    assert (finding.status, finding.subject, finding.path) == (Status.FAIL, name, STATUS)


def test_every_alternative_is_forbidden(tree: dict[str, Entry]) -> None:
    found = {finding.subject: finding.status for finding in forbid(tree, "telnetd | jq | skopeo")}
    assert found == {"telnetd": Status.PASS, "jq": Status.FAIL, "skopeo": Status.FAIL}


def test_the_rule_that_forbids_is_told(tree: dict[str, Entry]) -> None:
    message = only(forbid(tree, "pod*")).message
    assert message == "podman 4.3.1+ds1-8+b1 is installed, and forbidden by 'pod*'"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("install ok half-installed", Status.FAIL),
        ("install ok unpacked", Status.FAIL),
        ("deinstall ok config-files", Status.PASS),
        ("purge ok not-installed", Status.PASS),
    ],
)
def test_a_package_with_files_in_the_image_counts(tree: dict[str, Entry], words: str, status: Status) -> None:
    tree[STATUS] = stanza("skopeo") + "\n" + stanza("jq", status=words)
    assert only(forbid(tree, "jq")).status is status


def test_a_version_that_is_none_could_not_tell(tree: dict[str, Entry]) -> None:
    tree[STATUS] = stanza("jq", version="\u202e")
    with pytest.raises(ValidatorError, match="is no version of dpkg"):
        forbid(tree, "jq (<< 1)")


def test_a_damaged_database_could_not_tell(tree: dict[str, Entry]) -> None:
    tree[STATUS] = "x"
    with pytest.raises(ValidatorError, match="is no field"):
        forbid(tree, "jq")


def test_nothing_asked_is_skipped(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
