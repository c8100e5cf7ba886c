from typing import cast

import pytest

from diskimage_validator.model import Finding, Status
from diskimage_validator.policy_model import Policy, TrustedCa
from tests.support import images, pki
from tests.support.asking import ask, failures, only
from tests.support.chains import Made, authority, signed_with_sha1
from tests.support.images import ANCHOR, BUNDLE
from tests.support.memory_engine import Broken, Entry

CHECK = "ca-quality"
ROOT = authority("Root", cert_sign=True)


def found(tree: dict[str, Entry], **quality: object) -> list[Finding]:
    return ask(CHECK, tree, images.policy(certificates={"quality": quality}))


def bake(tree: dict[str, Entry], *made: Made) -> None:
    """Make CAs anchors in place of the one there is."""
    tree[ANCHOR] = b"".join(ca.pem for ca in made)
    tree[BUNDLE] = pki.pem(pki.certificate("Public Root")) + cast("bytes", tree[ANCHOR])


def failed(tree: dict[str, Entry], **quality: object) -> Finding:
    return only(failures(found(tree, **quality)))


def test_a_sound_ca_passes(tree: dict[str, Entry]) -> None:
    finding = only(found(tree))
    assert (finding.subject, finding.status, finding.path) == ("CN=Internal CA", Status.PASS, ANCHOR)
    assert finding.message == "fit to sign; EC key, secp256r1"


def test_it_is_not_asked_by_default(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP


def test_without_any_ca_there_is_nothing_to_judge(tree: dict[str, Entry]) -> None:
    del tree[ANCHOR]
    tree[BUNDLE] = pki.pem(pki.certificate("Public Root"))
    assert only(found(tree)).status is Status.SKIP


def test_a_key_usage_without_key_cert_sign_fails(tree: dict[str, Entry]) -> None:
    bake(tree, authority("Root", cert_sign=False))
    assert "keyUsage does not allow" in failed(tree).message


@pytest.mark.parametrize(
    ("kind", "quality", "message"),
    [
        ("rsa1024", {}, "its RSA key is too small"),
        ("rsa2048", {}, ""),
        ("rsa2048", {"min_rsa_bits": 3072}, "its RSA key is too small"),
        ("ec", {"curves": ["secp384r1"]}, "its key is on the curve secp256r1"),
        ("ed25519", {"curves": []}, ""),
    ],
)
def test_keys_have_a_least_strength(
    tree: dict[str, Entry], kind: str, quality: dict[str, object], message: str
) -> None:
    bake(tree, authority("Root", kind=kind))
    assert [finding.message for finding in failures(found(tree, **quality))] == ([message] if message else [])


def test_sha1_fails_unless_it_is_a_roots_own(tree: dict[str, Entry]) -> None:
    root = authority("RSA root", kind="rsa2048")
    old = signed_with_sha1(root, root)
    bake(tree, old)
    assert failures(found(tree)) == []
    bake(tree, old, signed_with_sha1(authority("Issuing", root), root))
    finding = failed(tree)
    assert (finding.subject, finding.message) == ("CN=Issuing", "its signature rests on SHA1")


def test_an_intermediate_without_its_issuer_fails(tree: dict[str, Entry]) -> None:
    issuing = authority("Issuing", ROOT)
    bake(tree, issuing)
    assert "its issuer CN=Root is not in the generated bundle" in failed(tree).message
    bake(tree, issuing, ROOT)
    assert failures(found(tree)) == []


def test_an_issuer_that_allows_none_below_it_fails(tree: dict[str, Entry]) -> None:
    root = authority("Root", path_length=0)
    bake(tree, root, authority("Issuing", root))
    finding = failed(tree)
    assert (finding.subject, finding.actual) == ("CN=Issuing", "0")


def test_a_least_path_length(tree: dict[str, Entry]) -> None:
    bake(tree, authority("Root", path_length=0))
    assert failures(found(tree)) == []
    assert failed(tree, min_path_length=1).message == "it allows 0 CAs below it"
    bake(tree, authority("Root"))
    assert failures(found(tree, min_path_length=1)) == []


def test_strict_asks_for_what_rfc_5280_demands(tree: dict[str, Entry]) -> None:
    messages = [finding.message for finding in found(tree, strict=True)]
    assert [message.partition(",")[0] for message in messages] == [
        "it has no keyUsage",
        "it has no subjectKeyIdentifier",
    ]
    bake(tree, ROOT)
    assert failures(found(tree, strict=True)) == []


def test_the_distributions_own_are_judged_on_request(tree: dict[str, Entry]) -> None:
    weak = authority("Weak public root", kind="rsa1024").pem
    tree["/usr/share/ca-certificates/mozilla/Weak.crt"] = weak
    tree[BUNDLE] = cast("bytes", tree[BUNDLE]) + weak
    assert failures(found(tree)) == []
    assert failed(tree, distribution=True).subject == "CN=Weak public root"


def test_cas_of_single_registries_and_of_the_policy_are_judged(tree: dict[str, Entry]) -> None:
    weak = authority("Registry CA", kind="rsa1024")
    path = "/etc/docker/certs.d/registry.internal:5000"
    tree[f"{path}/ca.crt"] = weak.pem
    finding = failed(tree)
    assert (finding.subject, finding.path) == ("CN=Registry CA", path)
    public = pki.certificate("Public Root")
    policy = Policy(images.rules(certificates={"quality": {"curves": []}}), (TrustedCa(pki.sha256(public), "", "x"),))
    assert "CN=Public Root" in {finding.subject for finding in ask(CHECK, tree, policy)}


def test_a_bundle_that_cannot_be_read_is_an_error(tree: dict[str, Entry]) -> None:
    tree[BUNDLE] = Broken()
    with pytest.raises(Exception, match="Input/output error"):
        found(tree)
