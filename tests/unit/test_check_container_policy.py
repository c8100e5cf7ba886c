import json

import pytest

from diskimage_validator.model import Finding, Status
from tests.support import images
from tests.support.asking import ask, failures, only
from tests.support.memory_engine import Broken, Entry

CHECK = "container-policy"
PATH = "/etc/containers/policy.json"
KEY = "/etc/pki/registry.gpg"
REJECT = [{"type": "reject"}]
ACCEPT = [{"type": "insecureAcceptAnything"}]
SIGNED = [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": KEY}]


def findings(tree: dict[str, Entry], **rules: object) -> list[Finding]:
    return ask(CHECK, tree, images.policy(containers={"signatures": rules}))


@pytest.fixture
def signed(tree: dict[str, Entry]) -> dict[str, Entry]:
    scopes = {"a.internal": SIGNED, "*.b.internal": SIGNED, "c.internal/team": SIGNED, "": REJECT}
    tree[PATH] = json.dumps({"default": ACCEPT, "transports": {"docker": scopes}}, indent=1)
    tree[KEY] = "key"
    return tree


def test_what_is_asked_for_passes(signed: dict[str, Entry]) -> None:
    scopes = {
        "a.internal": "signedBy",
        "a.internal/team/app": "signedBy",
        "x.b.internal:5000/app": "reject",
        "x.b.internal/app": "signedBy",
        "c.internal": "reject",
        "c.internal/team/app": "signedBy",
        "d.internal": "reject",
    }
    found = findings(signed, default="insecureAcceptAnything", scopes=scopes)
    assert failures(found) == []
    assert [finding.subject for finding in found] == ["default", *scopes]


def test_another_default_fails_with_its_line(signed: dict[str, Entry]) -> None:
    finding = only(findings(signed, default="reject"))
    assert (finding.subject, finding.status, finding.path, finding.line) == ("default", Status.FAIL, PATH, 2)
    assert "insecureAcceptAnything, but reject is asked for" in finding.message


def test_a_scope_that_asks_for_less_fails(signed: dict[str, Entry]) -> None:
    finding = only(findings(signed, scopes={"d.internal": "signedBy"}))
    assert (finding.subject, finding.status, finding.actual) == ("d.internal", Status.FAIL, "reject")
    assert "(from docker:)" in finding.message


def test_a_key_that_is_not_there_fails(signed: dict[str, Entry]) -> None:
    del signed[KEY]
    finding = only(failures(findings(signed, default="insecureAcceptAnything")))
    assert (finding.subject, finding.status) == (KEY, Status.FAIL)


def test_no_policy_fails(tree: dict[str, Entry]) -> None:
    assert only(findings(tree, default="reject")).message.startswith("there is no policy.json")


@pytest.mark.parametrize(("entry", "status"), [("{}", Status.FAIL), ("{", Status.FAIL), (Broken(), Status.ERROR)])
def test_a_policy_that_says_nothing(tree: dict[str, Entry], entry: Entry, status: Status) -> None:
    tree[PATH] = entry
    finding = only(findings(tree, default="reject"))
    assert (finding.subject, finding.status) == (PATH, status)


def test_it_has_to_be_asked_for(signed: dict[str, Entry]) -> None:
    assert only(ask(CHECK, signed, images.policy())).status is Status.SKIP
