from diskimage_validator.model import Finding, Status
from tests.support import images
from tests.support.asking import ask, only
from tests.support.memory_engine import Broken, Entry

LIST = "/etc/apt/sources.list"
ASKED = images.policy(air_gap={"sources": True})
ROCKY = 'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n'


def finding(tree: dict[str, Entry]) -> Finding:
    return only(ask("air-gap-sources", tree, ASKED))


def test_a_source_passes(tree: dict[str, Entry]) -> None:
    tree[LIST] = "\ndeb https://mirror.internal/debian bookworm main\n"
    found = finding(tree)
    assert (found.subject, found.status, found.path, found.line) == ("apt", Status.PASS, LIST, 2)


def test_comments_are_no_source(tree: dict[str, Entry]) -> None:
    tree[LIST] = "# deb https://mirror.internal/debian bookworm main\n"
    found = finding(tree)
    assert (found.status, found.message) == (Status.FAIL, "there is no source at all")


def test_a_source_that_is_switched_off_is_none(tree: dict[str, Entry]) -> None:
    path = "/etc/apt/sources.list.d/x.sources"
    tree[path] = "Types: deb\nURIs: https://mirror.internal/\nEnabled: no\n"
    found = finding(tree)
    assert (found.status, found.message, found.path) == (Status.FAIL, "every source is switched off (1)", path)


def test_the_sources_of_another_package_manager_do_not_count(tree: dict[str, Entry]) -> None:
    tree["/etc/os-release"] = ROCKY
    tree[LIST] = "deb https://mirror.internal/debian bookworm main\n"
    assert finding(tree).subject == "dnf"
    assert finding(tree).status is Status.FAIL
    tree["/etc/yum.repos.d/x.repo"] = "[a]\nbaseurl=https://mirror.internal/\n"
    assert finding(tree).status is Status.PASS


def test_a_key_or_a_proxy_is_no_source(tree: dict[str, Entry]) -> None:
    tree["/etc/os-release"] = ROCKY
    tree["/etc/yum.repos.d/x.repo"] = "[a]\ngpgkey=https://mirror.internal/key\nproxy=http://p.internal:1\n"
    assert finding(tree).status is Status.FAIL


def test_what_cannot_be_read_is_an_error(tree: dict[str, Entry]) -> None:
    tree[LIST] = Broken()
    assert finding(tree).status is Status.ERROR
    tree["/etc/os-release"] = "ID=unheardof\n"
    assert finding(tree).status is Status.ERROR


def test_it_has_to_be_asked_for(tree: dict[str, Entry]) -> None:
    assert only(ask("air-gap-sources", tree, images.policy())).status is Status.SKIP
