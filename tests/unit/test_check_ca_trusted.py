import datetime
import hashlib

import pytest
from cryptography import x509

from diskimage_validator.model import Finding, Status
from diskimage_validator.policy_model import Policy, TrustedCa
from tests.support import images, pki
from tests.support.asking import ask, only
from tests.support.images import ANCHOR, BUNDLE, EXPIRED
from tests.support.memory_engine import Entry

CHECK = "ca-trusted"
CA = pki.certificate("Internal CA")


def require(tree: dict[str, Entry], certificate: x509.Certificate, subject: str = "CN=Internal CA") -> Finding:
    trusted = TrustedCa(pki.sha256(certificate), subject, "test")
    return only(ask(CHECK, tree, Policy(images.rules(), (trusted,))))


def without_ca(tree: dict[str, Entry]) -> None:
    tree[BUNDLE] = pki.pem(pki.certificate("Public Root"))


def test_a_ca_in_the_generated_bundle_passes(tree: dict[str, Entry]) -> None:
    finding = require(tree, CA)
    assert (finding.status, finding.message) == (Status.PASS, "trusted, valid until 2027-06-01")


def test_a_bundle_that_was_not_regenerated_is_told_with_the_remedy(tree: dict[str, Entry]) -> None:
    without_ca(tree)
    finding = require(tree, CA)
    assert finding.status is Status.FAIL
    assert finding.message == f"{ANCHOR} is there, but the bundle lacks it: the bundle was not regenerated"
    assert "update-ca-certificates" in finding.hint


def test_an_anchor_of_the_wrong_name_is_told(tree: dict[str, Entry]) -> None:
    without_ca(tree)
    tree["/usr/local/share/ca-certificates/internal-ca.pem"] = tree.pop(ANCHOR)
    finding = require(tree, CA)
    assert "ignores a file of that name" in finding.message
    assert ".crt" in finding.hint


def test_a_ca_that_is_nowhere_fails(tree: dict[str, Entry]) -> None:
    del tree[ANCHOR]
    without_ca(tree)
    finding = require(tree, CA)
    assert finding.status is Status.FAIL
    assert "neither in the generated bundle nor among the local anchors" in finding.message


def test_another_certificate_of_the_same_name_is_told(tree: dict[str, Entry]) -> None:
    renewed = pki.certificate("Internal CA", end=pki.NOW + 2 * pki.YEAR)
    assert "another certificate of the same name" in require(tree, renewed).message


def test_no_bundle_at_all_is_told(tree: dict[str, Entry]) -> None:
    del tree[ANCHOR], tree[BUNDLE]
    assert "no generated CA bundle" in require(tree, CA).message


@pytest.mark.parametrize(
    ("certificate", "fault"),
    [
        (pki.certificate("Old", **EXPIRED), "expired on 2025-06-01"),
        (pki.certificate("New", start=pki.NOW + datetime.timedelta(days=1)), "is not valid before 2026-06-02"),
        (pki.certificate("Leaf", ca=False), "CA:FALSE"),
        (pki.certificate("Ancient", ca=None), "no basicConstraints"),
    ],
)
def test_a_ca_in_the_bundle_that_is_of_no_use_fails(
    tree: dict[str, Entry], certificate: x509.Certificate, fault: str
) -> None:
    tree[BUNDLE] = pki.pem(certificate)
    finding = require(tree, certificate)
    assert finding.status is Status.FAIL
    assert fault in finding.message


def test_a_ca_that_is_there_but_cannot_be_parsed_could_not_tell(tree: dict[str, Entry]) -> None:
    tree[BUNDLE] = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    trusted = TrustedCa(hashlib.sha256(b"\0\0\0").hexdigest(), "", "test")
    assert only(ask(CHECK, tree, Policy(images.rules(), (trusted,)))).status is Status.ERROR


def test_without_a_ca_the_check_is_skipped_with_the_reason(tree: dict[str, Entry]) -> None:
    finding = only(ask(CHECK, tree, images.policy()))
    assert (finding.status, finding.message) == (Status.SKIP, "the policy does not ask for it")
