import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.facts.identity import parse_machine_id
from diskimage_validator.model import Status
from tests.support import images
from tests.support.asking import ask, failures, only
from tests.support.memory_engine import Broken, Entry, Link

CHECK = "hygiene-machine-id"
POLICY = images.policy(hygiene={"machine_id": True})
ETC, DBUS = "/etc/machine-id", "/var/lib/dbus/machine-id"
SET = "0123456789abcdef0123456789abcdef\n"


@pytest.mark.parametrize("content", [None, "", "\n", "uninitialized", "uninitialized\n"])
def test_clean_states_pass(tree: dict[str, Entry], content: str | None) -> None:
    if content is not None:
        tree[ETC] = tree[DBUS] = content
    assert failures(ask(CHECK, tree, POLICY)) == []


@pytest.mark.parametrize("text", [ETC, "../../../etc/machine-id"])
def test_a_link_of_d_bus_is_judged_by_what_it_leads_to(tree: dict[str, Entry], text: str) -> None:
    tree[ETC], tree[DBUS] = SET, Link(text)
    assert only(failures(ask(CHECK, tree, POLICY))).subject == ETC


@pytest.mark.parametrize("path", [ETC, DBUS])
@pytest.mark.parametrize("content", [SET, SET.strip().upper(), "nonsense", SET + SET])
def test_an_id_fails_wherever_it_is(tree: dict[str, Entry], path: str, content: str) -> None:
    tree[path] = content
    finding = only(failures(ask(CHECK, tree, POLICY)))
    assert (finding.subject, finding.status) == (path, Status.FAIL)
    assert content.strip() not in str(finding)


def test_a_link_to_somewhere_else_is_read(tree: dict[str, Entry]) -> None:
    tree[ETC], tree["/opt/id"] = Link("/opt/id"), SET
    assert only(failures(ask(CHECK, tree, POLICY))).subject == ETC


def test_a_file_that_cannot_be_read_could_not_tell(tree: dict[str, Entry]) -> None:
    tree[ETC] = Broken()
    finding = only(failures(ask(CHECK, tree, POLICY)))
    assert (finding.subject, finding.status) == (ETC, Status.ERROR)


def test_a_huge_file_could_not_tell(tree: dict[str, Entry]) -> None:
    tree[ETC] = "x" * 5000
    assert only(failures(ask(CHECK, tree, POLICY))).status is Status.ERROR


def test_it_has_to_be_asked_for(tree: dict[str, Entry]) -> None:
    tree[ETC] = SET
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP


@given(st.none() | st.binary())
def test_every_content_has_a_state(data: bytes | None) -> None:
    assert parse_machine_id(data) in ("missing", "empty", "uninitialized", "set", "odd")
