import pytest

from diskimage_validator.model import Status
from tests.support import images
from tests.support.asking import ask, failures, only
from tests.support.hygiene import failed
from tests.support.memory_engine import Entry

CHECK = "hygiene-logs"
POLICY = images.policy(hygiene={"max_log_size": "10 B"})


def test_empty_and_small_logs_pass(tree: dict[str, Entry]) -> None:
    tree["/var/log/wtmp"], tree["/var/log/apt/term.log"] = "", b"x" * 10
    finding = only(ask(CHECK, tree, POLICY))
    assert (finding.status, finding.message) == (Status.PASS, "1 are not empty, and small enough")


@pytest.mark.parametrize("path", ["/var/log/wtmp", "/var/log/apt/term.log", "/var/log/journal/x/system.journal"])
def test_a_large_log_fails(tree: dict[str, Entry], path: str) -> None:
    tree[path] = b"x" * 11
    finding = only(failures(ask(CHECK, tree, POLICY)))
    assert (finding.subject, finding.status, finding.actual) == (path, Status.FAIL, "11 B")


def test_no_logs_at_all_pass(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, POLICY)).status is Status.PASS


@pytest.mark.parametrize(("size", "expected"), [(11, ["/var/log/a", "logs"]), (3, [])])
def test_more_than_is_listed_is_said_if_it_may_matter(
    tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch, size: int, expected: list[str]
) -> None:
    monkeypatch.setattr("diskimage_validator.facts.usage.MAX_NAMED", 1)
    tree["/var/log/a"] = b"x" * size
    tree["/var/log/b"] = b"x"
    assert failed(ask(CHECK, tree, POLICY)) == expected


def test_it_has_to_be_asked_for(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
