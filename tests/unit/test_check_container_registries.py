import pytest

from diskimage_validator.model import Finding, Status
from tests.support import images
from tests.support.asking import ask, failures, only
from tests.support.memory_engine import Broken, Entry

CHECK = "container-registries"
MAIN = "/etc/containers/registries.conf"
DROP_IN = "/etc/containers/registries.conf.d/50-x.conf"
TEXT = """\
unqualified-search-registries = ["registry.internal:5000"]
short-name-mode = "enforcing"

[[registry]]
prefix = "example.org"
location = "registry.internal/example"

[[registry.mirror]]
location = "mirror.internal/example"

[[registry]]
prefix = "bad.example.org"
location = "bad.example.org"
blocked = true
insecure = true
"""
RULE = {"prefix": "example.org", "location": "registry.internal/example", "mirrors": ["mirror.internal/example"]}


def findings(tree: dict[str, Entry], **rules: object) -> list[Finding]:
    return ask(CHECK, tree, images.policy(containers=rules))


@pytest.fixture
def site(tree: dict[str, Entry]) -> dict[str, Entry]:
    tree[MAIN] = TEXT
    return tree


def test_what_is_asked_for_passes(site: dict[str, Entry]) -> None:
    found = findings(
        site,
        registries=[RULE, {"prefix": "bad.example.org", "blocked": True}],
        search_registries=["registry.internal:5000"],
        short_name_mode="enforcing",
    )
    assert failures(found) == []
    assert [finding.subject for finding in found] == [
        "example.org",
        "bad.example.org",
        "short names",
        "short-name-mode",
        "insecure registries",
    ]


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        ({**RULE, "location": "other.internal"}, "location"),
        ({**RULE, "mirrors": []}, "mirrors"),
        ({**RULE, "mirrors": ["a.internal", "mirror.internal/example"]}, "mirrors"),
        ({**RULE, "blocked": True}, "blocked"),
    ],
)
def test_another_table_fails_with_its_line(site: dict[str, Entry], rule: dict[str, object], wrong: str) -> None:
    finding = only(failures(findings(site, registries=[rule])))
    assert (finding.subject, finding.path, finding.line) == ("example.org", MAIN, 4)
    assert finding.message == f"{wrong}: not as asked for"


def test_no_table_fails(site: dict[str, Entry]) -> None:
    finding = only(failures(findings(site, registries=[{"prefix": "x.example.net"}])))
    assert (finding.subject, finding.actual) == ("x.example.net", "no table")


def test_a_drop_in_that_hides_the_table_fails_and_is_named(site: dict[str, Entry]) -> None:
    site[DROP_IN] = '[[registry]]\nprefix = "example.org"\nlocation = "example.org"\n'
    finding = only(failures(findings(site, registries=[RULE])))
    assert (finding.path, finding.line) == (DROP_IN, 1)
    assert finding.hint == f"this table hides the one in {MAIN}, line 4"


def test_another_search_list_fails(site: dict[str, Entry]) -> None:
    finding = only(failures(findings(site, search_registries=[])))
    assert (finding.subject, finding.actual, finding.line) == ("short names", "registry.internal:5000", 1)


def test_another_mode_fails(site: dict[str, Entry]) -> None:
    site[DROP_IN] = '\nshort-name-mode = "disabled"\n'
    finding = only(failures(findings(site, short_name_mode="enforcing")))
    assert (finding.subject, finding.path, finding.line) == ("short-name-mode", DROP_IN, 2)


def test_an_insecure_mirror_fails(site: dict[str, Entry]) -> None:
    site[MAIN] = TEXT.replace('"mirror.internal/example"', '"mirror.internal/example"\ninsecure = true')
    finding = only(failures(findings(site, registries=[RULE])))
    assert (finding.subject, finding.line) == ("insecure mirror.internal/example", 8)


@pytest.mark.parametrize(("entry", "status"), [("x", Status.FAIL), (Broken(), Status.ERROR)])
def test_a_file_that_says_nothing_is_the_only_finding(site: dict[str, Entry], entry: Entry, status: Status) -> None:
    site[DROP_IN] = entry
    finding = only(findings(site, registries=[RULE], search_registries=[]))
    assert (finding.subject, finding.status) == (DROP_IN, status)


def test_it_has_to_be_asked_for(site: dict[str, Entry]) -> None:
    assert only(ask(CHECK, site, images.policy())).status is Status.SKIP
