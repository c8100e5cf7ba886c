"""Whole trees: which stores are found, and what they hold."""

import json

import pytest

from diskimage_validator.engines.base import Engine, Stat
from diskimage_validator.facts import FACTS, Unreadable, ca_scattered, ca_shelf, collect, dump, known, replay
from diskimage_validator.facts.ca_stores import CaStore, CaStores
from diskimage_validator.facts.scene import Scene
from tests.support import images, pki
from tests.support.asking import facts_of
from tests.support.images import BUNDLE, hash_links, internal_ca
from tests.support.memory_engine import Broken, Entry, Link, MemoryEngine
from tests.support.stores import NOT_TRUSTED, TRUSTED_DELEGATOR, make_edk2, make_jks, make_nss, trusted_pem

CA = pki.certificate("Internal CA")
SHA256 = pki.sha256(CA)
EXTRACTED = "/etc/pki/ca-trust/extracted"
VENV = "/opt/venv/lib/python3.11/site-packages"
PATCHED = "DEBIAN_CA_CERTS_PATH = '/etc/ssl/certs/ca-certificates.crt'\ndef where():\n    return DEBIAN_CA_CERTS_PATH\n"
UPSTREAM = 'def where():\n    return os.path.join(os.path.dirname(__file__), "cacert.pem")\n'


def read(tree: dict[str, Entry]) -> CaStores:
    with MemoryEngine(tree) as engine:
        found = known(Scene(engine, FACTS).fact("ca_stores"))
    assert isinstance(found, CaStores)
    return found


def by_name(tree: dict[str, Entry]) -> dict[str, CaStore]:
    return {str(store): store for store in read(tree).stores}


def test_debian_has_a_bundle_and_a_hashed_folder(tree: dict[str, Entry]) -> None:
    stores = by_name(tree)
    assert list(stores) == [f"system {BUNDLE}", "openssl /etc/ssl/certs"]
    for store in stores.values():
        assert len(store.certificates) == 3
        assert SHA256 in store.certificates
        assert store.command == "update-ca-certificates"


def test_p11_kit_extracts(tree: dict[str, Entry]) -> None:
    found = by_name(
        {
            "/etc/os-release": "ID=rocky\nVERSION_ID=9\n",
            f"{EXTRACTED}/pem/tls-ca-bundle.pem": internal_ca(),
            f"{EXTRACTED}/pem/email-ca-bundle.pem": internal_ca(),
            f"{EXTRACTED}/pem/objsign-ca-bundle.pem": internal_ca(),
            f"{EXTRACTED}/openssl/ca-bundle.trust.crt": trusted_pem(pki.der(CA)),
            f"{EXTRACTED}/edk2/cacerts.bin": make_edk2([pki.der(CA)]),
            f"{EXTRACTED}/java/cacerts": make_jks([pki.der(CA)]),
            "/etc/pki/java/cacerts": Link(f"{EXTRACTED}/java/cacerts"),
            "/usr/lib/jvm/jre/lib/security/cacerts": Link("/etc/pki/java/cacerts"),
            "/etc/pki/tls/cert.pem": Link(f"{EXTRACTED}/pem/tls-ca-bundle.pem"),
            "/etc/pki/tls/certs/ca-bundle.crt": Link(f"{EXTRACTED}/pem/tls-ca-bundle.pem"),
            **hash_links({"ca": internal_ca()}, f"{EXTRACTED}/pem/directory-hash"),
        }
    )
    assert list(found) == [
        f"system {EXTRACTED}/pem/tls-ca-bundle.pem",
        f"openssl-trusted {EXTRACTED}/openssl/ca-bundle.trust.crt",
        f"email {EXTRACTED}/pem/email-ca-bundle.pem",
        f"code-signing {EXTRACTED}/pem/objsign-ca-bundle.pem",
        f"edk2 {EXTRACTED}/edk2/cacerts.bin",
        f"java {EXTRACTED}/java/cacerts",
        f"openssl {EXTRACTED}/pem/directory-hash",
    ]
    assert all(store.certificates == (SHA256,) for store in found.values())


def test_a_bundle_of_its_own_under_another_usual_name_is_a_store(tree: dict[str, Entry]) -> None:
    tree["/etc/ssl/cert.pem"] = Link("certs/ca-certificates.crt")
    tree["/etc/pki/tls/certs/ca-bundle.crt"] = internal_ca()
    tree["/etc/pki/tls/cert.pem"] = Link("/nowhere.pem")
    found = by_name(tree)
    assert found["system /etc/pki/tls/certs/ca-bundle.crt"].certificates == (SHA256,)
    assert found["system /etc/pki/tls/cert.pem"].missing == ("/nowhere.pem",)
    assert "system /etc/ssl/cert.pem" not in found


def test_each_certifi_is_a_store_unless_it_was_patched(tree: dict[str, Entry]) -> None:
    tree[f"{VENV}/certifi/cacert.pem"] = internal_ca()
    tree[f"{VENV}/certifi/core.py"] = UPSTREAM
    tree["/usr/lib/python3/dist-packages/certifi/cacert.pem"] = b""
    tree["/usr/lib/python3/dist-packages/certifi/core.py"] = PATCHED
    tree["/snap/tool/1/certifi/cacert.pem"] = Link(BUNDLE)
    tree["/srv/certifi/core.py"] = PATCHED.replace("/etc/ssl", "/nowhere")
    found = by_name(tree)
    assert found[f"certifi {VENV}/certifi/cacert.pem"].certificates == (SHA256,)
    assert found["certifi /usr/lib/python3/dist-packages/certifi/core.py"].real == BUNDLE
    assert found["certifi /snap/tool/1/certifi/cacert.pem"].real == BUNDLE
    assert found["certifi /srv/certifi/core.py"].missing == ("/nowhere/certs/ca-certificates.crt",)
    assert "certifi /usr/lib/python3/dist-packages/certifi/cacert.pem" not in found


@pytest.mark.parametrize(
    ("version", "python", "asks"),
    [
        ("24.2", "3.11", True),
        ("25.0.1", "3.10", True),
        ("24.1.2", "3.11", False),
        ("24.2", "3.9", False),
        ("x", "3.11", False),
    ],
)
def test_pip_asks_the_system_as_well_from_24_2_on(
    tree: dict[str, Entry], version: str, python: str, asks: bool
) -> None:
    pip = f"/opt/venv/lib/python{python}/site-packages/pip"
    tree[f"{pip}/__init__.py"] = f'__version__ = "{version}"\n'
    tree[f"{pip}/_vendor/certifi/cacert.pem"] = b""
    store = by_name(tree)[f"pip {pip}/_vendor/certifi/cacert.pem"]
    assert store.also == (BUNDLE if asks else "")
    assert (SHA256 in read(tree).trusted_by(store)) is asks


def test_other_bundles_are_found_where_they_are(tree: dict[str, Entry]) -> None:
    tree[f"{VENV}/botocore/cacert.pem"] = internal_ca()
    tree[f"{VENV}/httplib2/cacerts.txt"] = internal_ca()
    tree["/opt/jdk/lib/security/cacerts"] = make_jks([pki.der(CA)])
    tree["/opt/jdk/lib/security/jssecacerts"] = b"text"
    tree["/home/x/.pki/nssdb/cert9.db"] = make_nss([(pki.der(CA), TRUSTED_DELEGATOR)])
    tree["/srv/cert9.db"] = make_nss([(pki.der(CA), NOT_TRUSTED)])
    tree["/srv/db/cert9.db"] = make_nss([(pki.der(CA), None)])
    for other in ("/srv/cacert.pem", "/srv/core.py", "/srv/cacerts.txt", "/srv/cacerts"):
        tree[other] = internal_ca()
    found = by_name(tree)
    assert found[f"botocore {VENV}/botocore/cacert.pem"].certificates == (SHA256,)
    assert found[f"httplib2 {VENV}/httplib2/cacerts.txt"].certificates == (SHA256,)
    assert found["java /opt/jdk/lib/security/cacerts"].certificates == (SHA256,)
    assert "no keystore" in found["java /opt/jdk/lib/security/jssecacerts"].unreadable
    assert found["nss /home/x/.pki/nssdb/cert9.db"].certificates == (SHA256,)
    assert found["nss /srv/cert9.db"].distrusted == (SHA256,)
    assert found["nss /srv/db/cert9.db"].unknown == (SHA256,)
    assert len(found) == 9


def test_certificates_are_kept_once_and_with_their_der_form(tree: dict[str, Entry]) -> None:
    for number in range(5):
        tree[f"/opt/venv{number}/certifi/cacert.pem"] = internal_ca() * 3
    stores = read(tree)
    assert len(stores.certificates) == len(stores.ders) == 3
    assert stores.of("certifi")[0].certificates == (SHA256,) * 3
    assert stores.certificates[SHA256].name_hash == images.hash_of(internal_ca())


def test_facts_survive_a_dump(tree: dict[str, Entry]) -> None:
    tree["/usr/local/share/ca-certificates/key.pem"] = pki.private_key("x")
    tree["/etc/ca-certificates.conf"] = "!mozilla/Public_Root.crt\n"
    facts = facts_of(tree)
    assert replay(json.dumps(dump(facts))).ca_stores == facts.ca_stores
    assert "PRIVATE KEY-----" not in json.dumps(dump(facts))


# What cannot be read


def test_a_store_that_cannot_be_read_says_so_and_the_others_are_read(tree: dict[str, Entry]) -> None:
    tree[BUNDLE] = Broken()
    tree[f"{VENV}/certifi/cacert.pem"] = Broken()
    tree[f"{VENV}/certifi/core.py"] = Broken()
    found = by_name(tree)
    assert "Input/output error" in found[f"system {BUNDLE}"].unreadable
    assert "Input/output error" in found[f"certifi {VENV}/certifi/cacert.pem"].unreadable
    assert "Input/output error" in found[f"certifi {VENV}/certifi/core.py"].unreadable
    assert len(found["openssl /etc/ssl/certs"].certificates) == 3


class Sparse(MemoryEngine):
    """Says of every bundle that it has ten gigabytes."""

    def _lstat(self, path: str) -> Stat | None:
        entry = super()._lstat(path)
        return (
            entry._replace(size=10 * 1024**3) if entry and path.endswith(("bundle.crt", "certificates.crt")) else entry
        )

    def _read(self, path: str, offset: int, size: int) -> bytes:
        assert size <= 16 * 1024**2
        return super()._read(path, offset, size)


def test_a_bundle_of_ten_gigabytes_is_not_read(tree: dict[str, Entry]) -> None:
    engine: Engine = Sparse(tree)
    stores = known(collect(engine, only={"ca_stores"}).ca_stores)
    assert stores.system is not None
    assert "10737418240 bytes, more than" in stores.system.unreadable
    assert len(stores.of("openssl")[0].certificates) == 3


def test_the_bytes_of_all_stores_are_limited(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ca_shelf, "TOTAL_LIMIT", 1000)
    assert "more than 1000 bytes in all" in next(iter(by_name(tree).values())).unreadable


def test_the_number_of_certificates_is_limited(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ca_shelf, "MAX_POOL", 2)
    assert "more than 2 different certificates" in next(iter(by_name(tree).values())).unreadable
    monkeypatch.setattr(ca_shelf, "MAX_LISTED", 2)
    assert "more than 2 certificates in all stores" in next(iter(by_name(tree).values())).unreadable


def test_the_number_of_stores_is_limited(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ca_scattered, "MAX_STORES", 2)
    for number in range(5):
        tree[f"/opt/venv{number}/certifi/cacert.pem"] = internal_ca()
    copies = read(tree).of("certifi")
    assert [bool(store.unreadable) for store in copies] == [False, False, True]


def test_links_in_circles_and_names_that_are_not_utf8_do_no_harm(tree: dict[str, Entry]) -> None:
    tree["/opt/a/certifi/cacert.pem"] = Link("cacert.pem")
    tree["/opt/\udcff/certifi/cacert.pem"] = internal_ca()
    found = by_name(tree)
    assert "symbolic links" in found["certifi /opt/a/certifi/cacert.pem"].unreadable
    assert found["certifi /opt/\\xff/certifi/cacert.pem"].certificates == (SHA256,)


def test_no_store_is_a_fact() -> None:
    stores = read({"/etc/os-release": "ID=debian\n"})
    assert (stores.stores, stores.system) == ((), None)
    assert not isinstance(stores, Unreadable)
