import bz2
import gzip
import io
import lzma

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diskimage_validator.facts import apt_indices as module
from diskimage_validator.facts.apt_indices import AptIndex, AptIndices, parse_index, read_apt_indices
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.packages import Package, Packages
from tests.support.memory_engine import Broken, Entry, MemoryEngine

LISTS = "/var/lib/apt/lists"
JQ = Package("jq", "1.6-2", "amd64")
MIRROR = f"{LISTS}/mirror.internal:8080_debian_dists_bookworm_main_binary-amd64_Packages"


def index(*packages: Package) -> bytes:
    """Return a Packages file that lists these."""
    texts = (
        f"Package: {package.name}\nSource: x\nVersion: {package.version}\nArchitecture: {package.architecture}\n"
        for package in packages
    )
    return "\n".join(texts).encode()


def read(tree: dict[str, Entry], *packages: Package, manager: str = "dpkg") -> AptIndices:
    return read_apt_indices(MemoryEngine(tree), Packages(manager, "status", packages))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("mirror.internal_debian_dists_bookworm_main_binary-amd64_Packages", "mirror.internal/debian"),
        ("mirror.internal:8080_debian_dists_b_main_binary-amd64_Packages", "mirror.internal:8080/debian"),
        ("mirror.internal_a%5fb_dists_b_main_binary-amd64_Packages", "mirror.internal/a_b"),
        ("mirror.internal_flat_._Packages", "mirror.internal/flat"),
        ("mirror.internal_flat_Packages", "mirror.internal/flat"),
        ("_srv_mirror_dists_b_main_binary-amd64_Packages", "/srv/mirror"),
        ("\udcff%ff_Packages", "\\xff\\xff"),
    ],
)
def test_the_name_of_an_index_tells_its_source(name: str, source: str) -> None:
    found = read({f"{LISTS}/{name}": index(JQ)}, JQ)
    assert found.of(JQ) == (source,)


def test_only_the_same_version_and_architecture_counts() -> None:
    others = (Package("jq", "1.7", "amd64"), Package("jq", "1.6-2", "i386"), Package("jq2", "1.6-2", "amd64"))
    assert read({MIRROR: index(*others)}, JQ).sources == {}


def test_all_sources_of_a_package_are_known() -> None:
    tree: dict[str, Entry] = {MIRROR: index(JQ), f"{LISTS}/b.internal_Packages": index(JQ), f"{LISTS}/b_InRelease": ""}
    assert read(tree, JQ).of(JQ) == ("b.internal", "mirror.internal:8080/debian")


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        ("", index(JQ)),
        (".gz", gzip.compress(index(JQ), mtime=0)),
        (".xz", lzma.compress(index(JQ))),
        (".lzma", lzma.compress(index(JQ), lzma.FORMAT_ALONE)),
        (".bz2", bz2.compress(index(JQ))),
    ],
)
def test_compressed_indices_are_read(suffix: str, content: bytes) -> None:
    found = read({MIRROR + suffix: content}, JQ)
    assert found.indices == (AptIndex(MIRROR + suffix, "mirror.internal:8080/debian"),)
    assert found.of(JQ)


@pytest.mark.parametrize(
    ("suffix", "content", "reason"),
    [
        (".lz4", b"x", "indices compressed as lz4 are not read"),
        (".gz", b"x", "damaged index"),
        (".gz", gzip.compress(index(JQ), mtime=0)[:-9], "damaged index"),
        (".xz", b"x", "damaged index"),
        (".bz2", b"x", "damaged index"),
        ("", Broken(), "Input/output error"),
    ],
)
def test_an_index_that_cannot_be_read_hides_no_other(suffix: str, content: Entry, reason: str) -> None:
    found = read({MIRROR + suffix: content, f"{LISTS}/b.internal_Packages": index(JQ)}, JQ)
    assert reason in next(each.unreadable for each in found.indices if each.path == MIRROR + suffix)
    assert "b.internal" in found.of(JQ)


def test_without_apt_there_is_nothing() -> None:
    assert read({"/etc/x": ""}, JQ) == AptIndices((), {})
    assert read({MIRROR: index(JQ)}, JQ, manager="rpm") == AptIndices((), {})


def test_limits_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SIZE", 1024 * 1024)
    bomb = gzip.compress(bytes(2 * 1024 * 1024))
    assert read({f"{MIRROR}.gz": bomb}, JQ).indices[0].unreadable == "an index of more than 1 MiB"
    monkeypatch.setattr(module, "MAX_INDICES", 1)
    with pytest.raises(FactError, match="more than 1 package indices"):
        read({MIRROR: b"", f"{LISTS}/b_Packages": b""}, JQ)


@given(st.binary(max_size=500))
@settings(max_examples=200, deadline=None)
def test_noise_lists_nothing(noise: bytes) -> None:
    assert all("=" in key for key in parse_index(io.BytesIO(index(JQ) + b"\n\n" + noise)))
