import pytest

from diskimage_validator.errors import ValidatorError
from diskimage_validator.model import Status
from tests.support import images
from tests.support.asking import ask, only
from tests.support.memory_engine import Entry

ALLOWED = images.policy(os={"any": [{"id": "debian", "versions": ["12", "13"]}, {"id": "rocky", "versions": ["9"]}]})


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("ID=debian\nVERSION_ID=12", Status.PASS),
        ("ID=debian\nVERSION_ID=11", Status.FAIL),
        ("ID=debian\nVERSION_ID=1", Status.FAIL),
        ("ID=debian\nVERSION_ID=120", Status.FAIL),
        ("ID=debian", Status.FAIL),
        ("ID=rocky\nVERSION_ID=9.4", Status.PASS),
        ("ID=rocky\nVERSION_ID=12", Status.FAIL),
        ("ID=fedora\nVERSION_ID=12", Status.FAIL),
    ],
)
def test_id_and_version_have_to_be_allowed(tree: dict[str, Entry], text: str, status: Status) -> None:
    tree["/usr/lib/os-release"] = text
    assert only(ask("os", tree, ALLOWED)).status is status


def test_a_release_without_versions_allows_all(tree: dict[str, Entry]) -> None:
    assert only(ask("os", tree, images.policy(os={"any": [{"id": "debian"}]}))).status is Status.PASS


def test_without_a_rule_any_system_that_says_what_it_is_will_do(tree: dict[str, Entry]) -> None:
    assert only(ask("os", tree, images.policy())).status is Status.PASS


def test_the_finding_shows_expected_and_actual(tree: dict[str, Entry]) -> None:
    tree["/usr/lib/os-release"] = "ID=fedora\nVERSION_ID=44"
    finding = only(ask("os", tree, ALLOWED))
    assert (finding.expected, finding.actual) == ("debian 12/13, rocky 9", "fedora 44")


def test_no_os_release_could_not_tell() -> None:
    with pytest.raises(ValidatorError, match="no operating system"):
        ask("os", {}, images.policy())
