import pytest

from diskimage_validator.errors import ValidatorError
from diskimage_validator.model import Status
from tests.support import images
from tests.support.asking import ask, only
from tests.support.hygiene import ask_draft, failed
from tests.support.memory_engine import Entry, Link

CHECK = "hygiene-cloud-init"
RULES = {"cloud_init": True}
POLICY = images.policy(hygiene=RULES)


def test_an_image_without_traces_passes(tree: dict[str, Entry]) -> None:
    tree["/etc/cloud/cloud.cfg"] = "x"
    tree["/var/log/cloud-init.log"] = ""
    assert only(ask(CHECK, tree, POLICY)).status is Status.PASS


def test_empty_folders_pass(tree: dict[str, Entry]) -> None:
    findings = ask_draft(CHECK, tree, lambda draft: draft.mkdir("/var/lib/cloud/instances"), hygiene=RULES)
    assert only(findings).status is Status.PASS


@pytest.mark.parametrize(
    "path",
    [
        "/var/lib/cloud/instances/i-1/user-data.txt",
        "/var/lib/cloud/data/instance-id",
        "/var/lib/cloud/sem/config_scripts_per_once.once",
        "/var/lib/cloud/seed/nocloud/user-data",
        "/run/cloud-init/instance-data.json",
        "/var/log/cloud-init.log",
        "/var/log/cloud-init-output.log",
        "/etc/netplan/50-cloud-init.yaml",
        "/etc/network/interfaces.d/50-cloud-init",
    ],
)
def test_every_trace_fails(tree: dict[str, Entry], path: str) -> None:
    tree[path] = "x"
    finding = only(ask(CHECK, tree, POLICY))
    assert (finding.subject, finding.status) == (path, Status.FAIL)


def test_the_link_to_the_instance_fails_even_if_it_leads_nowhere(tree: dict[str, Entry]) -> None:
    tree["/var/lib/cloud/instance"] = Link("/var/lib/cloud/instances/i-1")
    assert failed(ask(CHECK, tree, POLICY)) == ["/var/lib/cloud/instance"]


def test_more_than_is_listed_is_said(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diskimage_validator.facts.cloud_init.MAX_NAMED", 1)
    tree["/var/lib/cloud/data/a"] = tree["/var/lib/cloud/data/b"] = "x"
    assert failed(ask(CHECK, tree, POLICY)) == ["/var/lib/cloud/data/a", "cloud-init"]


def test_too_many_entries_could_not_tell(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diskimage_validator.facts.cloud_init.MAX_ENTRIES", 1)
    tree["/var/lib/cloud/data/a"] = tree["/var/lib/cloud/data/b"] = "x"
    with pytest.raises(ValidatorError, match="more than 1 files"):
        ask(CHECK, tree, POLICY)


def test_it_has_to_be_asked_for(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
