from typing import cast

from diskimage_validator.model import Finding, Status
from tests.support import images, pki
from tests.support.asking import ask, failures, only
from tests.support.images import BUNDLE, internal_ca
from tests.support.memory_engine import Broken, Entry
from tests.support.stores import make_jks

CHECK = "ca-duplicates"
CA = pki.certificate("Internal CA")
LATER = pki.certificate("Internal CA", end=pki.NOW + 2 * pki.YEAR)


def found(tree: dict[str, Entry]) -> list[Finding]:
    return ask(CHECK, tree, images.policy(certificates={"unique": True}))


def append(tree: dict[str, Entry], data: bytes) -> None:
    tree[BUNDLE] = cast("bytes", tree[BUNDLE]) + data


def test_a_sound_image_passes(tree: dict[str, Entry]) -> None:
    assert only(found(tree)).status is Status.PASS


def test_it_is_not_asked_by_default(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP


def test_the_same_certificate_twice_fails_once_for_all_stores(tree: dict[str, Entry]) -> None:
    append(tree, internal_ca())
    tree["/etc/ssl/certs/java/cacerts"] = make_jks([pki.der(CA)] * 2)
    finding = only(failures(found(tree)))
    assert (finding.subject, finding.path) == ("CN=Internal CA", BUNDLE)
    assert finding.message == f"stands twice in {BUNDLE} and 1 more"


def test_two_certificates_of_one_key_fail(tree: dict[str, Entry]) -> None:
    append(tree, pki.pem(LATER))
    finding = only(failures(found(tree)))
    assert "two certificates of this CA with one key" in finding.message
    assert pki.sha256(LATER) in finding.hint


def test_those_of_the_distribution_are_left_alone(tree: dict[str, Entry]) -> None:
    later = pki.pem(pki.certificate("Public Root", end=pki.NOW + 2 * pki.YEAR))
    append(tree, later)
    tree["/usr/share/ca-certificates/mozilla/later.crt"] = later
    assert failures(found(tree)) == []


def test_the_same_file_under_two_names_is_no_repetition(tree: dict[str, Entry]) -> None:
    tree["/usr/lib/python3/dist-packages/certifi/core.py"] = f"X = '{BUNDLE}'\n"
    assert failures(found(tree)) == []


def test_a_store_that_cannot_be_read_is_an_error(tree: dict[str, Entry]) -> None:
    tree["/opt/certifi/cacert.pem"] = Broken()
    assert only(failures(found(tree))).status is Status.ERROR
