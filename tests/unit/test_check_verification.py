import pytest

from diskimage_validator.model import Finding, Status
from tests.support import images
from tests.support.asking import ask, failures, only
from tests.support.memory_engine import Broken, Entry

CHECK = "verification"
APT = "/etc/apt/apt.conf.d/80tls"
REPO = "/etc/yum.repos.d/x.repo"
ASKED = images.policy(air_gap={"verification": True})


def failed(tree: dict[str, Entry], **rules: bool) -> list[Finding]:
    return failures(ask(CHECK, tree, images.policy(air_gap=rules) if rules else ASKED))


def test_nothing_switched_off_passes(tree: dict[str, Entry]) -> None:
    tree[APT] = (
        '// Acquire::https::Verify-Peer "false";\nAcquire::https::CAInfo "/etc/ssl/certs/ca-certificates.crt";\n'
    )
    finding = only(ask(CHECK, tree, ASKED))
    assert (finding.subject, finding.status, finding.message) == (
        "apt",
        Status.PASS,
        "nothing is switched off; files read: 1",
    )


def test_a_switch_in_a_block_fails_with_file_and_line(tree: dict[str, Entry]) -> None:
    tree[APT] = 'Acquire {\n  https {\n    Verify-Peer "false";\n  };\n};\n'
    finding = only(failed(tree))
    assert (finding.subject, finding.path, finding.line) == ("apt Acquire::https::Verify-Peer", APT, 3)
    assert finding.message == "any certificate is accepted"
    assert "trust store" in finding.hint


def test_a_later_file_can_take_it_back(tree: dict[str, Entry]) -> None:
    tree[APT] = 'Acquire { https { Verify-Peer "false"; }; };'
    tree["/etc/apt/apt.conf.d/90site"] = "#clear Acquire::https;"
    assert failed(tree) == []


def test_signatures_of_repositories_are_asked_for_on_their_own(tree: dict[str, Entry]) -> None:
    tree[REPO] = "[a]\nbaseurl=https://a.internal/\ngpgcheck=1\nrepo_gpgcheck=0\n"
    assert failed(tree) == []
    finding = only(failed(tree, repository_signatures=True))
    assert (finding.subject, finding.line) == ("dnf repo_gpgcheck", 4)


def test_only_signatures_of_repositories(tree: dict[str, Entry]) -> None:
    tree[REPO] = "[a]\nbaseurl=https://a.internal/\ngpgcheck=0\nrepo_gpgcheck=1\n"
    assert failed(tree, repository_signatures=True) == []
    assert only(failed(tree)).subject == "dnf gpgcheck"


def test_that_images_need_no_signature_is_told_and_no_failure(tree: dict[str, Entry]) -> None:
    tree["/etc/containers/policy.json"] = '{"default": [{"type": "insecureAcceptAnything"}]}'
    findings = ask(CHECK, tree, ASKED)
    assert [(finding.subject, finding.status) for finding in findings] == [
        ("containers", Status.PASS),
        ("signatures of images", Status.PASS),
    ]
    tree["/etc/containers/policy.json"] = '{"default": [{"type": "reject"}]}'
    assert len(ask(CHECK, tree, ASKED)) == 1


@pytest.mark.parametrize(
    ("entry", "status"), [('Acquire::https::Verify-Peer "true"', Status.FAIL), (Broken(), Status.ERROR)]
)
def test_a_file_that_says_nothing(tree: dict[str, Entry], entry: Entry, status: Status) -> None:
    tree[APT] = entry
    finding = only(failed(tree))
    assert (finding.subject, finding.status) == (APT, status)


def test_without_any_configuration_there_is_nothing_to_judge(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, ASKED)).status is Status.SKIP


def test_it_has_to_be_asked_for(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
