from typing import cast

from diskimage_validator.model import Finding, Status
from diskimage_validator.policy_model import Policy, TrustedCa
from tests.support import images, pki
from tests.support.asking import ask, failures, only
from tests.support.images import ANCHOR, BUNDLE, internal_ca
from tests.support.memory_engine import Broken, Entry

CHECK = "ca-distrusted"
OLD = pki.certificate("Old CA")
PEM = pki.pem(OLD)
LIST = "/etc/ca-certificates.conf"
COPY = "/opt/venv/certifi/cacert.pem"


def found(tree: dict[str, Entry], *distrusted: str) -> list[Finding]:
    cas = tuple(TrustedCa(sha256, "", "policy") for sha256 in distrusted)
    return ask(CHECK, tree, Policy(images.rules(certificates={"distrusted": []}), distrusted=cas))


def failed(tree: dict[str, Entry], *distrusted: str) -> list[str]:
    return [finding.subject for finding in failures(found(tree, *distrusted))]


def test_an_image_without_the_ca_passes(tree: dict[str, Entry]) -> None:
    findings = found(tree, pki.sha256(OLD))
    assert [(finding.subject, finding.status) for finding in findings] == [
        (f"sha256 {pki.sha256(OLD)}", Status.PASS),
        ("blocklist", Status.PASS),
    ]


def test_it_is_not_asked_by_default(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP


def test_it_fails_for_every_store_that_has_the_ca(tree: dict[str, Entry]) -> None:
    tree[COPY] = PEM
    tree[BUNDLE] = cast("bytes", tree[BUNDLE]) + PEM
    tree["/usr/lib/python3/dist-packages/certifi/core.py"] = f"X = '{BUNDLE}'\n"
    assert failed(tree, pki.sha256(OLD)) == [f"system {BUNDLE}: CN=Old CA", f"certifi {COPY}: CN=Old CA"]


def test_an_anchor_would_bring_it_back(tree: dict[str, Entry]) -> None:
    tree[ANCHOR] = internal_ca() + PEM
    assert failed(tree, pki.sha256(OLD)) == [f"{ANCHOR}: CN=Old CA"]


def test_an_anchor_that_a_blocklist_names_does_not() -> None:
    extracted = "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"
    source = "/etc/pki/ca-trust/source"
    tree: dict[str, Entry] = {
        "/etc/os-release": "ID=rocky\nVERSION_ID=9\n",
        extracted: internal_ca(),
        f"{source}/anchors/old.pem": PEM,
        f"{source}/blocklist/old.pem": PEM,
    }
    assert failed(tree, pki.sha256(OLD)) == []


def test_debians_own_deselection_is_to_be_obeyed(tree: dict[str, Entry]) -> None:
    tree[LIST] = "mozilla/Expired_Root.crt\n!mozilla/Public_Root.crt\n"
    findings = failures(found(tree))
    assert [finding.subject for finding in findings] == [
        f"system {BUNDLE}: CN=Public Root",
        "openssl /etc/ssl/certs: CN=Public Root",
    ]
    assert f"{LIST}, line 2," in findings[0].message
    # Copies in Python packages know nothing of that list.
    tree[BUNDLE] = internal_ca()
    for name in [path for path in tree if path.startswith("/etc/ssl/certs/") and path != BUNDLE]:
        del tree[name]
    tree[COPY] = pki.pem(pki.certificate("Public Root"))
    assert failed(tree) == []


def test_p11_kits_blocklist_is_to_be_obeyed() -> None:
    extracted = "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"
    tree: dict[str, Entry] = {
        "/etc/os-release": "ID=rocky\nVERSION_ID=9\n",
        extracted: internal_ca() + PEM,
        "/etc/pki/ca-trust/source/blocklist/old.pem": PEM,
    }
    assert failed(tree) == [f"system {extracted}: CN=Old CA"]


def test_what_cannot_be_read_is_an_error(tree: dict[str, Entry]) -> None:
    tree[COPY] = Broken()
    tree[LIST] = Broken()
    assert [finding.status for finding in failures(found(tree))] == [Status.ERROR, Status.ERROR]
