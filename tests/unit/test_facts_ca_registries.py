import pytest

from diskimage_validator.facts import ca_registries
from diskimage_validator.facts.ca_registries import read_registries
from diskimage_validator.facts.ca_shelf import Shelf
from diskimage_validator.facts.ca_stores import CaStore
from tests.support import pki
from tests.support.images import internal_ca
from tests.support.memory_engine import Broken, Entry, MemoryEngine

HOST = "registry.internal:5000"
DOCKER = f"/etc/docker/certs.d/{HOST}"
PODMAN = f"/etc/containers/certs.d/{HOST}"
TOML = "/etc/buildkit/buildkitd.toml"
CA = pki.certificate("Internal CA")


def read(tree: dict[str, Entry]) -> list[CaStore]:
    return list(read_registries(Shelf(MemoryEngine(tree))))


def test_each_host_is_a_store() -> None:
    found = read(
        {f"{DOCKER}/ca.crt": internal_ca(), f"{PODMAN}/a.crt": internal_ca(), f"{PODMAN}/b.crt": internal_ca()}
    )
    assert [(store.consumer, store.host, store.path, len(store.certificates)) for store in found] == [
        ("docker", HOST, DOCKER, 1),
        ("containers", HOST, PODMAN, 2),
    ]


def test_names_that_nobody_reads_are_told() -> None:
    (store,) = read(
        {f"{DOCKER}/ca.pem": internal_ca(), f"{DOCKER}/README": "text", f"{DOCKER}/client.cert": internal_ca()}
    )
    assert (store.certificates, store.ignored) == ((), (f"{DOCKER}/ca.pem",))


def test_a_file_that_holds_no_certificate_is_told() -> None:
    (store,) = read({f"{DOCKER}/ca.crt": "text"})
    assert "ca.crt holds no certificate" in store.unparsed[0].reason


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_read() -> None:
    (store,) = read({f"{DOCKER}/a.crt": Broken(), f"{DOCKER}/b.crt": internal_ca()})
    assert "Input/output error" in store.unreadable
    assert store.certificates == (pki.sha256(CA),)


def test_buildkit_names_files_for_each_host() -> None:
    text = f'[registry."{HOST}"]\nca = ["/etc/ca.crt", "/gone.crt", 5, "relative"]\n[registry."other"]\nmirrors = []\n'
    (store,) = read({TOML: text, "/etc/ca.crt": internal_ca()})
    assert (str(store), store.host) == (f"buildkit {TOML} ({HOST})", HOST)
    assert (store.certificates, store.missing) == ((pki.sha256(CA),), ("/gone.crt",))


@pytest.mark.parametrize(
    "text", ["x", b"\xff", "registry = 5", "[registry]\na = 5", '[registry.a]\nca = "x"', "a = " + "[" * 5000]
)
def test_odd_files_of_buildkit_do_no_harm(text: str | bytes) -> None:
    for store in read({TOML: text}):
        assert "no TOML" in store.unreadable


def test_a_huge_file_of_buildkit_is_not_read() -> None:
    (store,) = read({TOML: b"#" * 300_000})
    assert "more than" in store.unreadable


def test_the_numbers_of_hosts_and_files_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ca_registries, "MAX_HOSTS", 2)
    monkeypatch.setattr(ca_registries, "MAX_FILES", 2)
    tree: dict[str, Entry] = {
        f"/etc/docker/certs.d/h{host}/{n}.crt": internal_ca() for host in range(3) for n in range(3)
    }
    found = read(tree)
    assert ["more than 2 files" in store.unreadable for store in found] == [True, True, False]
    assert "more than 2 registries" in found[2].unreadable
