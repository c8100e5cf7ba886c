from typing import cast

import pytest
from cryptography import x509

from diskimage_validator.model import Finding, Status
from tests.support import images, pki
from tests.support.asking import ask, failures, only
from tests.support.images import ANCHOR, BUNDLE, EXPIRED
from tests.support.memory_engine import Entry

CHECK = "ca-anchors"


def failed(tree: dict[str, Entry]) -> list[Finding]:
    return failures(ask(CHECK, tree, images.policy()))


def append(tree: dict[str, Entry], data: bytes) -> None:
    tree[BUNDLE] = cast("bytes", tree[BUNDLE]) + data


def test_a_sound_image_passes(tree: dict[str, Entry]) -> None:
    findings = ask(CHECK, tree, images.policy())
    assert [finding.subject for finding in findings] == ["CA bundle", "CN=Internal CA"]
    assert failures(findings) == []


def test_an_anchor_without_a_regenerated_bundle_fails(tree: dict[str, Entry]) -> None:
    tree[BUNDLE] = pki.pem(pki.certificate("Public Root"))
    finding = only(failed(tree))
    assert (finding.subject, finding.path, finding.status) == ("CN=Internal CA", ANCHOR, Status.FAIL)
    assert "the bundle was not regenerated" in finding.message
    assert "update-ca-certificates" in finding.hint


def test_an_anchor_that_debian_ignores_fails(tree: dict[str, Entry]) -> None:
    other = pki.pem(pki.certificate("Other CA"))
    tree["/usr/local/share/ca-certificates/other.pem"] = other
    assert "is ignored by update-ca-certificates" in only(failed(tree)).message
    append(tree, other)
    assert failed(tree) == []


@pytest.mark.parametrize(
    ("certificate", "fault"),
    [
        (pki.certificate("Old", **EXPIRED), "expired on 2025-06-01"),
        (pki.certificate("Leaf", ca=False), "CA:FALSE"),
    ],
)
def test_an_anchor_that_is_no_valid_ca_fails(tree: dict[str, Entry], certificate: x509.Certificate, fault: str) -> None:
    data = pki.pem(certificate)
    tree["/usr/local/share/ca-certificates/x.crt"] = data
    append(tree, data)
    assert fault in only(failed(tree)).message


def test_an_expired_ca_added_to_the_bundle_by_hand_fails(tree: dict[str, Entry]) -> None:
    append(tree, pki.pem(pki.certificate("Old", **EXPIRED)))
    finding = only(failed(tree))
    assert finding.subject == "CN=Old"
    assert "the distribution did not ship it, and it expired on 2025-06-01" in finding.message


def test_an_expired_ca_of_the_distribution_is_its_own_business(tree: dict[str, Entry]) -> None:
    assert b"".join(cast("bytes", tree[BUNDLE]).splitlines()).count(b"BEGIN") == 3
    assert failed(tree) == []


def test_a_valid_ca_added_to_the_bundle_by_hand_is_shown(tree: dict[str, Entry]) -> None:
    append(tree, pki.pem(pki.certificate("Other CA")))
    findings = ask(CHECK, tree, images.policy())
    assert failures(findings) == []
    assert any("without an anchor file" in finding.message for finding in findings)


def test_a_damaged_block_in_the_bundle_fails(tree: dict[str, Entry]) -> None:
    append(tree, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    finding = only(failed(tree))
    assert (finding.status, finding.path) == (Status.FAIL, BUNDLE)
    assert "certificate 4 of the bundle cannot be parsed" in finding.message


def test_a_certificate_of_the_distribution_that_we_cannot_parse_is_no_fault(tree: dict[str, Entry]) -> None:
    odd = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    append(tree, odd)
    tree["/usr/share/ca-certificates/mozilla/odd.crt"] = odd
    assert failed(tree) == []


@pytest.mark.parametrize(("content", "reason"), [(b"", "no certificate"), (b"-----BEGIN CERTIFICATE-----\n", "no END")])
def test_an_anchor_that_holds_no_certificate_fails(tree: dict[str, Entry], content: bytes, reason: str) -> None:
    tree["/usr/local/share/ca-certificates/x.crt"] = content
    assert reason in only(failed(tree)).message


def test_an_empty_bundle_fails(tree: dict[str, Entry]) -> None:
    del tree[ANCHOR]
    tree[BUNDLE] = b""
    assert only(failed(tree)).message == "the bundle is empty"


def test_an_anchor_without_any_bundle_fails(tree: dict[str, Entry]) -> None:
    del tree[BUNDLE]
    assert only(failed(tree)).status is Status.FAIL


def test_neither_bundle_nor_anchors_is_skipped(tree: dict[str, Entry]) -> None:
    del tree[BUNDLE], tree[ANCHOR]
    assert only(failed(tree)).status is Status.SKIP


def test_the_policy_can_switch_it_off(tree: dict[str, Entry]) -> None:
    tree[BUNDLE] = b""
    assert only(ask(CHECK, tree, images.policy(certificates={"anchors": False}))).status is Status.SKIP
