"""A policy made from an image asks for what that image has, and the image satisfies it."""

from dataclasses import replace
from pathlib import Path

import pytest

from diskimage_validator.cli import run
from diskimage_validator.policy import parse_policy
from diskimage_validator.policy_from_facts import policy_from
from diskimage_validator.runner import run_checks
from tests.support import images, pki
from tests.support.asking import facts_of
from tests.support.memory_engine import Entry


def test_the_image_satisfies_its_own_policy(tree: dict[str, Entry]) -> None:
    facts = facts_of(tree, disk=images.disk())
    policy = parse_policy(policy_from(facts, "ours"), "ours", Path())
    assert policy.name == "ours"
    assert [str(relation) for relation in policy.rules.packages.required] == ["docker-ce", "jq", "podman", "skopeo"]
    assert [ca.sha256 for ca in policy.trusted] == [pki.sha256(pki.certificate("Internal CA"))]
    assert policy.rules.hygiene.history
    assert policy.rules.packages.states is not None
    report = run_checks(policy, facts, now=pki.NOW)
    assert report.exit_status() == 0, report.as_dict()


def test_what_the_image_does_not_satisfy_is_not_asked(tree: dict[str, Entry]) -> None:
    tree["/root/.bash_history"] = "curl http://user:secret@example.org\n"
    tree[images.STATUS] = images.status(images.PACKAGES) + "\n" + images.stanza("old", status="hold ok installed")
    policy = parse_policy(policy_from(facts_of(tree, disk=images.disk()), "ours"), "ours", Path())
    assert not policy.rules.hygiene.history
    assert policy.rules.packages.states is None


def test_another_image_does_not(tree: dict[str, Entry]) -> None:
    policy = parse_policy(policy_from(facts_of(tree, disk=images.disk()), "ours"), "ours", Path())
    del tree["/usr/bin/jq"]
    assert run_checks(policy, facts_of(tree, disk=images.disk()), now=pki.NOW).exit_status() == 1


def test_what_cannot_be_read_is_left_out(tree: dict[str, Entry]) -> None:
    del tree[images.STATUS]
    text = policy_from(facts_of(tree), "ours")
    assert "packages" not in text
    assert "commands" in text


def test_a_hostile_name_stays_inside_its_comment(tree: dict[str, Entry]) -> None:
    facts = facts_of(tree)
    hostile = replace(facts, target=replace(facts.target, name="x\nextends: /etc/shadow\n# "))
    assert parse_policy(policy_from(hostile, "ours"), "ours", Path()).rules.extends is None


def test_the_command_writes_a_policy_that_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "root/usr/lib"
    root.mkdir(parents=True)
    (root / "os-release").write_text("ID=debian\n")
    output = tmp_path / "p.yaml"
    assert run(["policy", "from-image", f"dir:{tmp_path}/root", "--output", str(output)]) == 0
    assert run(["policy", "check", str(output)]) == 0
