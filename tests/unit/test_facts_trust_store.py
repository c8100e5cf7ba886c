import pytest

from diskimage_validator.errors import ReadLimitError
from diskimage_validator.facts import trust_store as module
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.trust_store import TrustStore, read_trust_store
from tests.support import pki
from tests.support.images import ANCHOR, BUNDLE, internal_ca
from tests.support.memory_engine import Entry, Link, MemoryEngine

CA = pki.certificate("Internal CA")
FOLDER = "/usr/local/share/ca-certificates"


def read(tree: dict[str, Entry], family: str = "debian") -> TrustStore:
    return read_trust_store(MemoryEngine(tree), family)


def test_debian_keeps_bundle_anchors_and_its_own_apart(tree: dict[str, Entry]) -> None:
    store = read(tree)
    assert store.bundle_path == BUNDLE
    assert len(store.certificates) == 3
    assert [anchor.path for anchor in store.anchors] == [ANCHOR]
    assert [certificate.subject for certificate in store.added] == ["CN=Internal CA"]


@pytest.mark.parametrize(
    ("family", "bundle", "anchor", "shipped"),
    [
        (
            "rhel",
            "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
            "/etc/pki/ca-trust/source/anchors/ca.pem",
            "/usr/share/pki/ca-trust-source/ca-bundle.trust.p11-kit",
        ),
        (
            "suse",
            "/var/lib/ca-certificates/ca-bundle.pem",
            "/etc/pki/trust/anchors/ca.pem",
            "/usr/share/pki/trust/ca-certificates-mozilla.trust.p11-kit",
        ),
    ],
)
def test_each_family_has_its_own_layout(family: str, bundle: str, anchor: str, shipped: str) -> None:
    public = pki.pem(pki.certificate("Public Root"))
    tree: dict[str, Entry] = {
        bundle: public + internal_ca(),
        anchor: internal_ca(),
        shipped: b"[p11-kit-object-v1]\ntrusted: true\n" + public,
    }
    for store in (read(tree, family), read(tree, "")):
        assert (store.bundle_path, [found.path for found in store.anchors]) == (bundle, [anchor])
        assert [certificate.subject for certificate in store.added] == ["CN=Internal CA"]


def test_suse_bundle_behind_its_link_is_read() -> None:
    tree: dict[str, Entry] = {"/etc/ssl/ca-bundle.pem": Link("../../srv/pem"), "/srv/pem": internal_ca()}
    assert read(tree, "suse").find(pki.sha256(CA)) is not None


def test_a_foreign_bundle_on_debian_is_not_taken_for_its_own(tree: dict[str, Entry]) -> None:
    tree["/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"] = b""
    assert read(tree).bundle_path == BUNDLE


def test_no_bundle_is_a_fact() -> None:
    assert read({}).bundle_path is None


def test_debian_ignores_anchors_of_other_names() -> None:
    store = read({f"{FOLDER}/ca.pem": internal_ca(), f"{FOLDER}/sub/ca.crt": internal_ca()})
    assert {anchor.path: anchor.ignored for anchor in store.anchors} == {
        f"{FOLDER}/ca.pem": True,
        f"{FOLDER}/sub/ca.crt": False,
    }


def test_a_readme_is_no_anchor() -> None:
    assert read({f"{FOLDER}/README": "put CAs here"}).anchors == ()


def test_an_anchor_may_be_a_link_to_a_file() -> None:
    store = read({f"{FOLDER}/ca.crt": Link("/srv/ca.pem"), "/srv/ca.pem": internal_ca()})
    assert store.anchors_of(pki.sha256(CA))[0].path == f"{FOLDER}/ca.crt"


def test_links_that_lead_nowhere_or_in_circles_to_folders_do_no_harm() -> None:
    store = read({f"{FOLDER}/a.crt": Link("/nowhere"), f"{FOLDER}/loop": Link("."), f"{FOLDER}/b.crt": internal_ca()})
    assert [anchor.path for anchor in store.anchors] == [f"{FOLDER}/b.crt"]


def test_file_names_that_are_not_utf8_become_readable() -> None:
    assert read({f"{FOLDER}/\udcff.crt": internal_ca()}).anchors[0].path == f"{FOLDER}/\\xff.crt"


def test_a_damaged_certificate_in_the_bundle_is_reported_and_the_rest_read() -> None:
    store = read({BUNDLE: b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" + internal_ca()})
    assert len(store.certificates) == 1
    assert store.unparsed[0].index == 1


def test_a_huge_bundle_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_LIMIT", 10)
    with pytest.raises(ReadLimitError):
        read({BUNDLE: internal_ca()})


def test_the_number_of_anchor_files_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILES", 3)
    with pytest.raises(FactError, match="more than 3 files"):
        read({f"{FOLDER}/{number}.crt": b"" for number in range(5)})
