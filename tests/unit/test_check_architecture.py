from diskimage_validator.model import Status
from tests.support import images
from tests.support.asking import ask, failures, only
from tests.support.memory_engine import Entry


def test_all_signs_agree_with_the_policy(tree: dict[str, Entry]) -> None:
    assert failures(ask("architecture", tree, images.policy(architecture="x86_64"))) == []


def test_without_a_rule_the_signs_have_to_agree(tree: dict[str, Entry]) -> None:
    findings = ask("architecture", tree, images.policy())
    assert len(findings) == 3
    assert failures(findings) == []


def test_another_machine_fails_at_every_sign(tree: dict[str, Entry]) -> None:
    findings = ask("architecture", tree, images.policy(architecture="aarch64"))
    assert [finding.status for finding in findings] == [Status.FAIL] * 3


def test_a_shell_of_another_machine_is_caught_and_named(tree: dict[str, Entry]) -> None:
    tree["/usr/bin/dash"] = images.program(images.elf(183))
    finding = only(failures(ask("architecture", tree, images.policy())))
    assert finding.subject == "/bin/sh -> /usr/bin/dash"
    assert finding.message == "made for aarch64, not for x86_64"
