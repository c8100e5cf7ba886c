from pathlib import Path

import pytest

from diskimage_validator.errors import PolicyError
from diskimage_validator.model import Finding, Status
from diskimage_validator.policy import parse_policy
from diskimage_validator.policy_model import Policy
from tests.support import images
from tests.support.asking import ask, failures, only
from tests.support.memory_engine import Broken, Entry

CHECK = "air-gap-hosts"
LIST = "/etc/apt/sources.list"
CHRONY = "/etc/chrony.conf"


def policy(*allowed: str, **more: object) -> Policy:
    return images.policy(air_gap={"allowed": list(allowed), **more})


def failed(tree: dict[str, Entry], *allowed: str, **more: object) -> list[Finding]:
    return failures(ask(CHECK, tree, policy(*allowed, **more)))


@pytest.fixture
def source(tree: dict[str, Entry]) -> dict[str, Entry]:
    tree[LIST] = "# mirror\ndeb https://mirror.internal:8443/debian bookworm main\n"
    return tree


@pytest.mark.parametrize("pattern", ["*.internal", "mirror.internal", "mirror.internal:8443", "*"])
def test_what_is_on_the_list_passes(source: dict[str, Entry], pattern: str) -> None:
    finding = only(ask(CHECK, source, policy(pattern)))
    assert (finding.subject, finding.status) == ("apt", Status.PASS)
    assert finding.message == "names only what is allowed: mirror.internal:8443"


def test_what_is_not_on_the_list_fails_with_file_and_line(source: dict[str, Entry]) -> None:
    finding = only(failed(source, "*.example.org", "mirror.internal:80"))
    assert (finding.subject, finding.status) == ("apt mirror.internal:8443", Status.FAIL)
    assert (finding.path, finding.line) == (LIST, 2)
    assert "a source of packages (apt)" in finding.message
    assert finding.expected == "one of: *.example.org, mirror.internal:80"


def test_an_empty_list_allows_the_machine_itself(tree: dict[str, Entry]) -> None:
    tree[LIST] = "deb file:/srv/debian x y\ndeb http://localhost:3142/debian x y\ndeb http://127.0.0.1/ x y\n"
    finding = only(ask(CHECK, tree, policy()))
    assert finding.message == "names only what is allowed: 127.0.0.1, localhost:3142, the machine itself"


def test_every_kind_is_judged_on_its_own(source: dict[str, Entry]) -> None:
    source[CHRONY] = "pool time.example.org iburst\n"
    findings = ask(CHECK, source, policy("*.internal"))
    assert [(finding.subject, finding.status) for finding in findings] == [
        ("ntp time.example.org", Status.FAIL),
        ("apt", Status.PASS),
    ]


def test_a_kind_can_be_left_out(source: dict[str, Entry]) -> None:
    source[CHRONY] = "pool time.example.org iburst\n"
    assert failed(source, "*.internal", ignore=["ntp"]) == []


def test_a_disabled_source_is_none(tree: dict[str, Entry]) -> None:
    tree["/etc/apt/sources.list.d/x.sources"] = "Types: deb\nURIs: http://x.example.org/\nEnabled: no\n"
    assert only(ask(CHECK, tree, policy())).message == "names no host"


def test_a_file_that_its_tool_refuses_fails(source: dict[str, Entry]) -> None:
    source["/etc/apt/sources.list.d/x.list"] = "deb https://mirror.internal/\n"
    finding = only(failed(source, "*.internal"))
    assert (finding.subject, finding.status, finding.line) == ("/etc/apt/sources.list.d/x.list", Status.FAIL, 1)


def test_a_file_that_cannot_be_read_is_an_error(source: dict[str, Entry]) -> None:
    source[CHRONY] = Broken()
    finding = only(failed(source, "*.internal"))
    assert (finding.subject, finding.status) == (CHRONY, Status.ERROR)
    assert "Input/output error" in finding.message


def test_without_any_configuration_there_is_nothing_to_judge(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, policy())).status is Status.SKIP


def test_it_is_asked_for_by_a_list(source: dict[str, Entry]) -> None:
    assert only(ask(CHECK, source, images.policy())).status is Status.SKIP


def test_passwords_are_not_shown(tree: dict[str, Entry]) -> None:
    tree["/etc/environment"] = "http_proxy=http://user:Geheimnis@proxy.example.org:3128/\n"
    finding = only(failed(tree))
    assert finding.subject == "environment proxy.example.org:3128"
    assert "Geheimnis" not in repr(finding)


def test_a_pattern_with_a_scheme_is_an_error_of_the_policy() -> None:
    with pytest.raises(PolicyError, match=r"line 3: \.air_gap\.allowed\[0\]: a host such as"):
        parse_policy("version: 1\nname: x\nair_gap: {allowed: ['https://mirror.internal']}", "x.yaml", Path())
