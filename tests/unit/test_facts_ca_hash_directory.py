import pytest

from diskimage_validator.facts import ca_hash_directory
from diskimage_validator.facts.ca_hash_directory import has_hash_links, read_hash_directory
from diskimage_validator.facts.ca_shelf import Shelf
from diskimage_validator.facts.ca_stores import CaStore
from diskimage_validator.name_hash import old_subject_hash
from tests.support import pki
from tests.support.images import hash_links, hash_of
from tests.support.memory_engine import Broken, Entry, Link, MemoryEngine
from tests.support.stores import EMAIL, trusted_pem

FOLDER = "/etc/ssl/certs"
CA, OTHER = pki.certificate("Internal CA"), pki.certificate("Other")
PEM = pki.pem(CA)
HASH = hash_of(PEM)
TWIN = pki.pem(pki.certificate("internal  ca"))
"""A name that differs in case and spaces only, so that it has the same hash."""


def read(tree: dict[str, Entry]) -> CaStore:
    return read_hash_directory(Shelf(MemoryEngine(tree)), FOLDER, "openssl rehash")


def faults(store: CaStore) -> dict[str, str]:
    return {link.name: link.fault for link in store.hash_links}


def test_a_linked_certificate_is_trusted() -> None:
    store = read(hash_links({"ca": PEM, "other": pki.pem(OTHER)}))
    assert set(store.certificates) == {pki.sha256(CA), pki.sha256(OTHER)}
    assert (store.unlinked, store.hash_links) == ((), ())


def test_a_file_without_a_link_is_not() -> None:
    store = read({f"{FOLDER}/ca.pem": PEM})
    assert (store.certificates, store.unlinked) == ((), (pki.sha256(CA),))


def test_a_bundle_in_the_folder_is_no_part_of_the_lookup() -> None:
    assert read({f"{FOLDER}/ca-certificates.crt": PEM + pki.pem(OTHER)}).unlinked == ()


def test_two_names_of_one_hash_are_numbered() -> None:
    tree: dict[str, Entry] = {f"{FOLDER}/{HASH}.0": TWIN, f"{FOLDER}/{HASH}.1": PEM}
    assert len(read(tree).certificates) == 2


def test_openssl_stops_at_a_gap() -> None:
    store = read({f"{FOLDER}/{HASH}.0": TWIN, f"{FOLDER}/{HASH}.2": PEM, f"{FOLDER}/{HASH}.10": PEM})
    assert len(store.certificates) == 1
    assert faults(store) == dict.fromkeys(
        (f"{HASH}.2", f"{HASH}.10"), f"is never looked at: OpenSSL stops at {HASH}.1, which is not there"
    )


def test_numbers_count_as_numbers() -> None:
    store = read({f"{FOLDER}/{HASH}.{number}": PEM for number in range(12)})
    assert (len(store.certificates), store.hash_links) == (12, ())


def test_a_link_of_another_hash_leads_nowhere() -> None:
    store = read({f"{FOLDER}/00000000.0": Link("ca.pem"), f"{FOLDER}/ca.pem": PEM})
    assert faults(store) == {"00000000.0": f"leads to a certificate whose hash is {HASH}"}
    assert store.unlinked == (pki.sha256(CA),)


def test_the_hash_of_old_openssl_is_no_fault() -> None:
    old = old_subject_hash(pki.der(CA))
    store = read({**hash_links({"ca": PEM}), f"{FOLDER}/{old}.0": Link("ca.pem")})
    assert (store.certificates, store.hash_links) == ((pki.sha256(CA),), ())


def test_a_dangling_link_is_named() -> None:
    store = read({f"{FOLDER}/{HASH}.0": Link("gone.pem"), f"{FOLDER}/00000000.0/x": b""})
    assert faults(store) == {
        f"{HASH}.0": "leads to gone.pem, which is not there",
        "00000000.0": "leads to no file, which is no file",
    }


def test_trust_settings_count() -> None:
    store = read({f"{FOLDER}/{HASH}.0": trusted_pem(pki.der(CA), trust=[EMAIL])})
    assert (store.certificates, store.distrusted) == ((), (pki.sha256(CA),))


def test_damage_and_what_cannot_be_read_are_told() -> None:
    damaged = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    store = read({f"{FOLDER}/{HASH}.0": damaged, f"{FOLDER}/11111111.0": Broken(), f"{FOLDER}/x.pem": PEM})
    assert faults(store) == {f"{HASH}.0": "leads to a certificate which cannot be parsed"}
    assert len(store.unparsed) == 1
    assert "Input/output error" in store.unreadable
    assert store.unlinked == (pki.sha256(CA),)


def test_the_number_of_entries_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ca_hash_directory, "MAX_ENTRIES", 3)
    assert "more than 3 entries" in read({f"{FOLDER}/{number}.pem": b"" for number in range(5)}).unreadable


def test_a_folder_is_hashed_if_it_has_links() -> None:
    shelf = Shelf(MemoryEngine({f"{FOLDER}/ca-bundle.crt": PEM, "/etc/pki/tls/certs/0000000a.0": PEM, "/f": b""}))
    assert [has_hash_links(shelf, path) for path in (FOLDER, "/etc/pki/tls/certs", "/f", "/no")] == [
        False,
        True,
        False,
        False,
    ]
