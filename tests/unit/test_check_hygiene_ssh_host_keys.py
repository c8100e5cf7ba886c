import pytest

from diskimage_validator.model import Status
from tests.support import images
from tests.support.asking import ask, only
from tests.support.hygiene import failed
from tests.support.memory_engine import Entry

CHECK = "hygiene-ssh-host-keys"
POLICY = images.policy(hygiene={"ssh_host_keys": True})


def test_an_image_without_keys_passes(tree: dict[str, Entry]) -> None:
    tree["/etc/ssh/sshd_config"] = "Port 22\n"
    tree["/etc/ssh/moduli"] = "x"
    assert only(ask(CHECK, tree, POLICY)).status is Status.PASS


@pytest.mark.parametrize(
    "path",
    [
        "/etc/ssh/ssh_host_ed25519_key",
        "/etc/ssh/ssh_host_rsa_key.pub",
        "/etc/ssh/ssh_host_ecdsa_key-cert.pub",
        "/etc/dropbear/dropbear_rsa_host_key",
    ],
)
def test_every_host_key_fails(tree: dict[str, Entry], path: str) -> None:
    tree[path] = "x"
    finding = only(ask(CHECK, tree, POLICY))
    assert (finding.status, finding.subject, finding.path) == (Status.FAIL, path, path)
    assert "remove" in finding.hint


def test_hostile_names_are_escaped(tree: dict[str, Entry]) -> None:
    tree["/etc/ssh/ssh_host_\udcff_key"] = "x"
    assert failed(ask(CHECK, tree, POLICY)) == ["/etc/ssh/ssh_host_\\xff_key"]


def test_it_has_to_be_asked_for(tree: dict[str, Entry]) -> None:
    tree["/etc/ssh/ssh_host_rsa_key"] = "x"
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
