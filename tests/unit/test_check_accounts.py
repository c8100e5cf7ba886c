import pytest

from diskimage_validator.model import Finding, Status
from tests.support import images, node
from tests.support.asking import ask, failures, only
from tests.support.memory_engine import Broken, Entry

PASSWD = "root:x:0:0:root:/root:/bin/bash\nzuul:x:1000:1000:Zuul:/home/zuul:/bin/bash\n"


@pytest.fixture
def tree() -> dict[str, Entry]:
    return node.tree()


def check(tree: dict[str, Entry], **rules: object) -> list[Finding]:
    return ask("accounts", tree, images.policy(access={"accounts": rules}))


def faults(tree: dict[str, Entry], **rules: object) -> list[tuple[str, str]]:
    return [(finding.subject, finding.message) for finding in failures(check(tree, **rules or {"consistent": True}))]


ZUUL = {"name": "zuul", "uid": 1000, "groups": ["zuul"], "shell": "/bin/bash", "home": "/home/zuul"}


def test_a_sound_node_passes(tree: dict[str, Entry]) -> None:
    assert faults(tree, required=[ZUUL], forbidden=["debian", "ubuntu"], passwords="locked", consistent=True) == []


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"name": "ci"}, "there is no such user"),
        ({"uid": 1001}, "uid is 1000, not 1001"),
        ({"shell": "/bin/sh", "home": "/srv"}, "shell is /bin/bash, not /bin/sh; home is /home/zuul, not /srv"),
        ({"groups": ["zuul", "docker"]}, "it is not in the group docker"),
    ],
)
def test_a_required_user(tree: dict[str, Entry], wanted: dict[str, object], message: str) -> None:
    assert faults(tree, required=[{**ZUUL, **wanted}])[0][1] == message


def test_a_forbidden_user(tree: dict[str, Entry]) -> None:
    assert [subject for subject, _ in faults(tree, forbidden=["z*"])] == ["zuul"]


@pytest.mark.parametrize(
    ("field", "locked", "consistent"),
    [
        ("", True, "it needs no password"),
        ("$6$salt$hash", True, ""),
        ("$1$salt$hash", True, "hashed with md5"),
        ("!$1$salt$hash", False, "hashed with md5"),
        ("!", False, ""),
    ],
)
def test_passwords(tree: dict[str, Entry], field: str, locked: bool, consistent: str) -> None:
    tree["/etc/shadow"] = f"root:*:1::::::\nzuul:{field}:1::::::\n"
    assert bool(faults(tree, passwords="locked")) is locked
    found = faults(tree)
    assert bool(found) is bool(consistent)
    assert all(subject == "zuul" and consistent in message for subject, message in found)
    assert "hash" not in {finding.actual for finding in check(tree, passwords="locked")}


@pytest.mark.parametrize(
    ("path", "text", "subject"),
    [
        ("/etc/passwd", PASSWD + "toor:x:0:0::/root:/bin/sh\n", "toor"),
        ("/etc/passwd", PASSWD + "a:x:1000:0::/a:/bin/sh\n", "uid 1000"),
        ("/etc/passwd", PASSWD + "zuul:x:1001:0::/a:/bin/sh\n", "user zuul"),
        ("/etc/passwd", PASSWD + "a:x:1001:4242::/a:/bin/sh\n", "a"),
        ("/etc/passwd", PASSWD + "broken line\n", "/etc/passwd"),
        ("/etc/passwd", PASSWD.replace("root:x:0", "root:x:7"), "root"),
        ("/etc/group", "root:x:0:\nzuul:x:1000:\nzuul:x:1001:\n", "group zuul"),
        ("/etc/group", "root:x:0:\nzuul:x:1000:\nother:x:1000:\n", "gid 1000"),
        ("/etc/subuid", "a:100000:65536\nb:165535:65536\n", "/etc/subuid"),
    ],
)
def test_what_is_inconsistent(tree: dict[str, Entry], path: str, text: str, subject: str) -> None:
    tree[path] = text
    assert [found for found, _ in faults(tree)] == [subject]


def test_no_line_of_subuid_overlaps_itself(tree: dict[str, Entry]) -> None:
    tree["/etc/subuid"] = "a:100000:65536\na:100000:65536\nb:165536:65536\n"
    assert faults(tree) == []


def test_what_cannot_be_read_could_not_tell(tree: dict[str, Entry]) -> None:
    tree["/etc/shadow"] = Broken()
    with pytest.raises(Exception, match="Input/output error"):
        check(tree, consistent=True)


def test_nothing_asked_is_skipped(tree: dict[str, Entry]) -> None:
    assert only(ask("accounts", tree, images.policy())).status is Status.SKIP
