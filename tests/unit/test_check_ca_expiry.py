import datetime
from typing import cast

import pytest

from diskimage_validator.model import Finding, Status
from tests.support import images, pki
from tests.support.asking import ask, failures, only
from tests.support.images import ANCHOR, BUNDLE, EXPIRED
from tests.support.memory_engine import Broken, Entry

CHECK = "ca-expiry"
DAY = datetime.timedelta(days=1)


def found(tree: dict[str, Entry], days: int = 90) -> list[Finding]:
    return ask(CHECK, tree, images.policy(certificates={"min_days_left": days}))


def test_a_ca_that_lasts_passes(tree: dict[str, Entry]) -> None:
    finding = only(found(tree))
    assert (finding.subject, finding.status, finding.message) == (
        "CN=Internal CA",
        Status.PASS,
        "valid until 2027-06-01",
    )


def test_it_is_not_asked_by_default(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP


def test_a_ca_that_expires_soon_fails(tree: dict[str, Entry]) -> None:
    data = pki.pem(pki.certificate("Short", end=pki.NOW + 30 * DAY))
    tree[ANCHOR] = data
    tree[BUNDLE] = data
    finding = only(failures(found(tree)))
    assert finding.message == "it expires on 2026-07-01, in 30 days"
    assert failures(found(tree, 30)) == []
    assert failures(found(tree, 0)) == []


def test_one_that_has_expired_is_the_business_of_others(tree: dict[str, Entry]) -> None:
    tree[BUNDLE] = cast("bytes", tree[BUNDLE]) + pki.pem(pki.certificate("Old", **EXPIRED))
    assert failures(found(tree)) == []


def test_one_of_a_single_registry_is_told_here(tree: dict[str, Entry]) -> None:
    tree["/etc/containers/certs.d/r:5000/ca.crt"] = pki.pem(pki.certificate("Old", **EXPIRED))
    assert only(failures(found(tree))).message == "it expired on 2025-06-01"


def test_without_any_ca_there_is_nothing_to_judge(tree: dict[str, Entry]) -> None:
    del tree[ANCHOR]
    tree[BUNDLE] = pki.pem(pki.certificate("Public Root"))
    assert only(found(tree)).status is Status.SKIP


def test_a_bundle_that_cannot_be_read_is_an_error(tree: dict[str, Entry]) -> None:
    tree[BUNDLE] = Broken()
    with pytest.raises(Exception, match="Input/output error"):
        found(tree)
