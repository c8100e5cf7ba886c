import pytest

from diskimage_validator.model import Finding, Status
from tests.support import images, node
from tests.support.asking import ask, failures, only
from tests.support.memory_engine import Broken, Entry, File

ZUUL = "/etc/sudoers.d/90-zuul"
RULES = {"required": [{"user": "zuul"}], "nopasswd": ["zuul"]}


@pytest.fixture
def tree() -> dict[str, Entry]:
    return node.tree()


def faults(tree: dict[str, Entry], **rules: object) -> list[Finding]:
    return failures(ask("sudo", tree, images.policy(access={"sudo": {**RULES, **rules}})))


def test_a_sound_node_passes(tree: dict[str, Entry]) -> None:
    assert faults(tree) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rule lets this user"),
        ("zuul ALL=(ALL) ALL\n", "asks for a password"),
        ("zuul ALL=(ALL) NOPASSWD: /bin/ls\n", "no rule lets this user"),
        ("zuul ALL=(ALL) NOPASSWD: ALL\nzuul ALL=(ALL) ALL\n", "asks for a password"),
    ],
)
def test_a_required_right(tree: dict[str, Entry], text: str, message: str) -> None:
    tree[ZUUL] = text
    finding = only(faults(tree))
    assert finding.subject == "zuul"
    assert message in finding.message


def test_a_right_with_a_password_may_be_enough(tree: dict[str, Entry]) -> None:
    tree[ZUUL] = "zuul ALL=(ALL) ALL\n"
    assert faults(tree, required=[{"user": "zuul", "nopasswd": False}]) == []


def test_a_name_that_sudo_passes_over_is_named(tree: dict[str, Entry]) -> None:
    del tree[ZUUL]
    tree[f"{ZUUL}.conf"] = "zuul ALL=(ALL) NOPASSWD: ALL\n"
    assert f"{ZUUL}.conf" in only(faults(tree)).message


def test_a_file_that_sudo_refuses(tree: dict[str, Entry]) -> None:
    tree[ZUUL] = File(b"zuul ALL=(ALL) NOPASSWD: ALL\n", 0o666)
    assert [finding.subject for finding in faults(tree)] == [ZUUL, "zuul"]


def test_a_user_that_is_not_there(tree: dict[str, Entry]) -> None:
    assert only(faults(tree, required=[{"user": "ci"}])).message == "there is no such user"


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("%sudo ALL=(ALL) NOPASSWD: ALL\n", "NOPASSWD %sudo"),
        ("debian ALL=(root) NOPASSWD: /bin/ls\n", "NOPASSWD debian"),
        ("Defaults !authenticate\n", "NOPASSWD ALL"),
        ("User_Alias A = a\nA ALL=(ALL) NOPASSWD: ALL\n", "NOPASSWD a"),
    ],
)
def test_nobody_else_needs_no_password(tree: dict[str, Entry], text: str, subject: str) -> None:
    tree["/etc/sudoers.d/10-other"] = text
    assert only(faults(tree)).subject == subject
    assert faults(tree, nopasswd=None) == []


def test_a_line_that_sudo_cannot_parse(tree: dict[str, Entry]) -> None:
    tree["/etc/sudoers.d/95-broken"] = "\nzuul ALL=(ALL NOPASSWD: ALL\n"
    finding = only(faults(tree))
    assert (finding.subject, finding.line) == ("/etc/sudoers.d/95-broken", 2)


def test_no_sudo(tree: dict[str, Entry]) -> None:
    del tree["/etc/sudoers"]
    assert only(faults(tree)).message == "sudo is not configured"


def test_what_cannot_be_read_could_not_tell(tree: dict[str, Entry]) -> None:
    tree["/etc/sudoers.d/10-broken"] = Broken()
    assert only(faults(tree)).status is Status.ERROR


def test_nothing_asked_is_skipped(tree: dict[str, Entry]) -> None:
    assert only(ask("sudo", tree, images.policy())).status is Status.SKIP
