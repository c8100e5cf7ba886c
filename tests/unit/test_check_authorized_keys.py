import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from diskimage_validator.model import Finding, Status
from tests.support import images, node
from tests.support.asking import ask, failures, only
from tests.support.memory_engine import Broken, Entry, File


@pytest.fixture
def tree() -> dict[str, Entry]:
    return node.tree()


def check(tree: dict[str, Entry], **rules: object) -> list[Finding]:
    return ask("authorized-keys", tree, images.policy(access={"authorized_keys": rules}))


def faults(tree: dict[str, Entry], **rules: object) -> list[Finding]:
    return failures(check(tree, **rules))


def test_a_known_key_of_the_right_user_passes(tree: dict[str, Entry]) -> None:
    finding = only(check(tree, users=["zuul"], fingerprints=[node.FINGERPRINT]))
    assert (finding.status, finding.subject) == (Status.PASS, f"zuul {node.FINGERPRINT}")


def test_a_key_of_somebody_else(tree: dict[str, Entry]) -> None:
    tree["/root/.ssh/authorized_keys"] = node.KEY
    finding = only(faults(tree, users=["zuul"]))
    assert (finding.subject, finding.message) == (f"root {node.FINGERPRINT}", "root must not have keys")


def test_a_key_that_the_policy_does_not_know(tree: dict[str, Entry]) -> None:
    assert only(faults(tree, fingerprints=["SHA256:" + "A" * 43])).message == "the policy does not know this key"


def test_a_weak_key(tree: dict[str, Entry]) -> None:
    key = rsa.generate_private_key(65537, 1024).public_key()
    tree[node.KEYS] = key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    assert only(faults(tree)).message == "an RSA key of 1024 bits is weak"
    assert faults(tree, min_rsa_bits=1024) == []


def test_a_file_that_sshd_refuses(tree: dict[str, Entry]) -> None:
    tree[node.KEYS] = File(node.KEY.encode(), 0o666)
    finding = only(faults(tree))
    assert finding.subject == node.KEYS
    assert "may be written by others" in finding.message


def test_a_line_that_sshd_passes_over(tree: dict[str, Entry]) -> None:
    tree[node.KEYS] = f"{node.KEY}\nssh-rsa broken\n"
    assert only(faults(tree)).line == 2


def test_no_key_passes(tree: dict[str, Entry]) -> None:
    del tree[node.KEYS]
    assert only(check(tree, users=[])).message == "there is none"


def test_no_sshd_is_skipped(tree: dict[str, Entry]) -> None:
    del tree["/etc/ssh/sshd_config"]
    assert only(check(tree)).status is Status.SKIP


@pytest.mark.parametrize("path", [node.KEYS, "/etc/ssh/sshd_config.d/10-node.conf"])
def test_what_cannot_be_read_could_not_tell(tree: dict[str, Entry], path: str) -> None:
    tree[path] = Broken()
    assert [finding.status for finding in faults(tree) if finding.subject == path] == [Status.ERROR]


def test_nothing_asked_is_skipped(tree: dict[str, Entry]) -> None:
    assert only(ask("authorized-keys", tree, images.policy())).status is Status.SKIP
