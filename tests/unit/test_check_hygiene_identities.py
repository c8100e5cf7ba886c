import pytest

from diskimage_validator.facts.identity import SEEDS
from diskimage_validator.model import Status
from tests.support import images
from tests.support.asking import ask, only
from tests.support.memory_engine import Broken, Entry, Link

CHECK = "hygiene-identities"
POLICY = images.policy(hygiene={"identities": True})
ISCSI = "/etc/iscsi/initiatorname.iscsi"


@pytest.mark.parametrize("content", ["GenerateName=yes\n", "# InitiatorName=iqn.x\n", "InitiatorName=\n", ""])
def test_a_name_that_the_node_makes_passes(tree: dict[str, Entry], content: str) -> None:
    tree[ISCSI] = content
    assert only(ask(CHECK, tree, POLICY)).status is Status.PASS


@pytest.mark.parametrize("content", ["InitiatorName=iqn.1993-08.org.debian:01:abc\n", "#\n InitiatorName = iqn.x\n"])
def test_an_initiator_name_fails(tree: dict[str, Entry], content: str) -> None:
    tree[ISCSI] = content
    finding = only(ask(CHECK, tree, POLICY))
    assert (finding.subject, finding.status) == (ISCSI, Status.FAIL)
    assert "GenerateName=yes" in finding.hint


@pytest.mark.parametrize("path", SEEDS)
def test_every_seed_fails(tree: dict[str, Entry], path: str) -> None:
    tree[path] = b"\0" * 32
    finding = only(ask(CHECK, tree, POLICY))
    assert (finding.subject, finding.status) == (path, Status.FAIL)


@pytest.mark.parametrize("entry", ["", Link("/dev/null"), Link("/nowhere")])
def test_an_empty_seed_passes(tree: dict[str, Entry], entry: Entry) -> None:
    tree["/var/lib/systemd/random-seed"] = entry
    assert only(ask(CHECK, tree, POLICY)).status is Status.PASS


def test_a_file_that_cannot_be_read_could_not_tell(tree: dict[str, Entry]) -> None:
    tree[ISCSI] = Broken()
    assert only(ask(CHECK, tree, POLICY)).status is Status.ERROR


def test_a_broken_machine_id_is_another_check_s_business(tree: dict[str, Entry]) -> None:
    tree["/etc/machine-id"] = Broken()
    assert only(ask(CHECK, tree, POLICY)).status is Status.PASS


def test_it_has_to_be_asked_for(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
