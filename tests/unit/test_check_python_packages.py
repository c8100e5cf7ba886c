import pytest

from diskimage_validator.errors import ValidatorError
from diskimage_validator.model import Finding, Status
from tests.support import images
from tests.support.asking import ask, failures, only
from tests.support.memory_engine import Entry
from tests.unit.test_facts_python_packages import DEBIAN, VENV, installed, system

CHECK = "python-packages"
PYTHON = "/usr/bin/python3.11"
SITE = "/opt/x/lib/python3.11/site-packages"


@pytest.fixture
def tree(tree: dict[str, Entry]) -> dict[str, Entry]:
    tree |= system("3.11") | installed(DEBIAN, "PyYAML", "6.0") | installed(DEBIAN, "urllib3", "1.26.12")
    return tree | {"/opt/x/pyvenv.cfg": VENV} | installed(SITE, "ansible-core", "2.16.3rc1")


def python(tree: dict[str, Entry], **rules: object) -> list[Finding]:
    return ask(CHECK, tree, images.policy(packages={"python": rules}))


@pytest.mark.parametrize("requirement", ["pyyaml", "PyYAML>=6", "py_yaml", "urllib3 >=1.26, <2", "urllib3 ~= 1.26.5"])
def test_what_is_required_is_asked_of_the_system_s_python(tree: dict[str, Entry], requirement: str) -> None:
    finding = only(python(tree, required=[requirement]))
    expected = Status.FAIL if requirement == "py_yaml" else Status.PASS
    assert finding.status is expected
    assert finding.subject.endswith(f" in {PYTHON}")


@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        ("pip", "not installed"),
        ("urllib3>=2", "urllib3 1.26.12 is installed, not >=2"),
        ("ansible-core", "not installed"),
    ],
)
def test_what_is_required_and_not_there_fails(tree: dict[str, Entry], requirement: str, message: str) -> None:
    finding = only(python(tree, required=[requirement]))
    assert (finding.status, finding.message) == (Status.FAIL, message)


def test_required_without_any_python_fails() -> None:
    finding = only(python(images.debian(), required=["pip"]))
    assert (finding.status, finding.subject) == (Status.FAIL, "/usr/bin/python3")


def test_the_first_of_two_counts_for_what_is_required(tree: dict[str, Entry]) -> None:
    tree |= installed("/usr/local/lib/python3.11/dist-packages", "urllib3", "2.0")
    assert only(python(tree, required=["urllib3<2"])).actual == "urllib3 2.0"


def test_what_is_forbidden_may_be_in_no_environment(tree: dict[str, Entry]) -> None:
    tree |= installed("/root/.local/lib/python3.11/site-packages", "urllib3", "1.24")
    found = {finding.subject: finding for finding in python(tree, forbidden=["urllib3<1.26.5"])}
    assert {subject: finding.status for subject, finding in found.items()} == {
        f"urllib3<1.26.5 in {PYTHON}": Status.PASS,
        "urllib3<1.26.5 in /opt/x": Status.PASS,
        "urllib3<1.26.5 in /root/.local": Status.FAIL,
    }
    assert found[f"urllib3<1.26.5 in {PYTHON}"].message == "urllib3 1.26.12 is installed, and allowed"


def test_a_forbidden_distribution_behind_an_allowed_one_fails(tree: dict[str, Entry]) -> None:
    tree |= installed("/usr/local/lib/python3.11/dist-packages", "urllib3", "2.0")
    (finding,) = failures(python(tree, forbidden=["urllib3<2"]))
    assert finding.actual == "urllib3 1.26.12"


def test_forbidden_passes_without_any_python() -> None:
    assert only(python(images.debian(), forbidden=["pip"])).message == "the image has no Python"


def test_an_environment_can_be_asked_by_itself(tree: dict[str, Entry]) -> None:
    rules = {"/opt/x": {"required": ["ansible-core>=2.16.0rc1"], "forbidden": ["pyyaml"]}}
    assert [finding.status for finding in python(tree, environments=rules)] == [Status.PASS, Status.PASS]


def test_what_a_base_has_counts_if_it_is_seen(tree: dict[str, Entry]) -> None:
    tree["/opt/x/pyvenv.cfg"] = VENV.replace("false", "true")
    rules = {"/opt/*": {"required": ["pyyaml"], "forbidden": ["urllib3"]}}
    assert [finding.status for finding in python(tree, environments=rules)] == [Status.PASS, Status.FAIL]


@pytest.mark.parametrize(("rules", "status"), [({"required": ["a"]}, Status.FAIL), ({"forbidden": ["a"]}, Status.PASS)])
def test_an_environment_that_is_not_there(tree: dict[str, Entry], rules: object, status: Status) -> None:
    finding = only(python(tree, environments={"/opt/y": rules}))
    assert (finding.subject, finding.status, finding.message) == ("/opt/y", status, "no such Python environment")


@pytest.mark.parametrize("rules", [{"required": ["odd>1"]}, {"forbidden": ["odd>1"]}])
def test_a_version_that_is_none_could_not_tell(tree: dict[str, Entry], rules: dict[str, object]) -> None:
    tree |= installed(DEBIAN, "odd", "one")
    found = python(tree, **rules)
    assert found[0].status is Status.ERROR
    assert found[0].message == "odd has 'one' as its version, which PEP 440 does not know"


def test_a_name_alone_needs_no_version(tree: dict[str, Entry]) -> None:
    tree |= installed(DEBIAN, "odd", "one")
    assert only(python(tree, required=["odd"])).status is Status.PASS


def test_damaged_metadata_may_be_what_is_forbidden(tree: dict[str, Entry]) -> None:
    tree[f"{DEBIAN}/urllib3-1.dist-info/METADATA"] = ""
    (finding,) = failures(python(tree, forbidden=["urllib3<1"]))
    assert (finding.status, finding.subject) == (Status.ERROR, PYTHON)


def test_damaged_metadata_is_told_where_something_is_missing(tree: dict[str, Entry]) -> None:
    tree[f"{DEBIAN}/pip-23.dist-info/METADATA"] = ""
    assert "pip-23.dist-info" in only(python(tree, required=["pip"])).hint


@pytest.mark.parametrize("text", ["pip >", "pip @ file:///x", "pip[x]", "pip; python_version<'3'", "", 3])
def test_what_is_no_plain_requirement_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"a requirement such as|name and versions only"):
        images.policy(packages={"python": {"required": [text]}})


def test_a_tree_that_cannot_be_read_could_not_tell(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diskimage_validator.facts.scene.MAX_ENTRIES", 3)
    with pytest.raises(ValidatorError, match="more than 3 files"):
        python(tree, required=["pip"])


def test_nothing_asked_is_skipped(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
