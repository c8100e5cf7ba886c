import pytest

from diskimage_validator.model import Finding, Status
from tests.support import images, node
from tests.support.asking import ask, failures, only
from tests.support.memory_engine import Broken, Entry

MAIN = "/etc/ssh/sshd_config"
WANTED = {"PermitRootLogin": "no", "PasswordAuthentication": False, "MaxAuthTries": 6}


@pytest.fixture
def tree() -> dict[str, Entry]:
    return node.tree()


def faults(tree: dict[str, Entry], wanted: dict[str, object] | None = None) -> list[Finding]:
    return failures(ask("sshd", tree, images.policy(access={"sshd": WANTED if wanted is None else wanted})))


def test_a_sound_node_passes(tree: dict[str, Entry]) -> None:
    assert faults(tree) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("PasswordAuthentication yes\nPermitRootLogin no\n", "it is yes"),
        ("PermitRootLogin no\n", "it is yes, which is the default"),
        (
            "PermitRootLogin no\nPasswordAuthentication no\nMatch Address 10.0.0.0/8\nPasswordAuthentication yes\n",
            "Match Address 10.0.0.0/8 makes it yes",
        ),
    ],
)
def test_a_setting_with_another_value(tree: dict[str, Entry], text: str, message: str) -> None:
    tree[MAIN] = text
    finding = only(faults(tree))
    assert (finding.subject, finding.message) == ("PasswordAuthentication", message)


def test_two_words_for_the_same(tree: dict[str, Entry]) -> None:
    tree[MAIN] = "PermitRootLogin without-password\n"
    assert faults(tree, {"PermitRootLogin": "prohibit-password"}) == []


def test_a_setting_whose_default_is_not_known(tree: dict[str, Entry]) -> None:
    assert "not the same everywhere" in only(faults(tree, {"Ciphers": "none"})).message


def test_a_file_that_sshd_does_not_start_with(tree: dict[str, Entry]) -> None:
    tree[MAIN] = "\nPermitRootLogn no\n"
    finding = only(faults(tree, {}))
    assert (finding.subject, finding.line, finding.message) == (MAIN, 2, "sshd has no keyword permitrootlogn")


def test_no_sshd(tree: dict[str, Entry]) -> None:
    del tree[MAIN]
    assert only(faults(tree)).message == "there is no configuration of sshd"


def test_what_cannot_be_read_could_not_tell(tree: dict[str, Entry]) -> None:
    tree["/etc/ssh/sshd_config.d/10-node.conf"] = Broken()
    assert [finding.status for finding in faults(tree, {})] == [Status.ERROR]


def test_nothing_asked_is_skipped(tree: dict[str, Entry]) -> None:
    assert only(ask("sshd", tree, images.policy())).status is Status.SKIP


@pytest.mark.parametrize("value", ["", None, [], 1.5])
def test_a_value_has_to_be_one(value: object) -> None:
    with pytest.raises(ValueError, match="a value as in sshd_config"):
        images.rules(access={"sshd": {"PermitRootLogin": value}})
