import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diskimage_validator.facts import packages as module
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.packages import Package, Packages, parse_status, read_packages
from diskimage_validator.facts.rpm_database import RpmKey, RpmOrigin
from tests.support.images import PACKAGES, STATUS, stanza, status
from tests.support.memory_engine import Entry, MemoryEngine
from tests.support.rpm_databases import NDB_PATH, ndb, package


def read(tree: dict[str, Entry], family: str = "debian") -> Packages:
    return read_packages(MemoryEngine(tree), family)


def test_installed_packages_are_read() -> None:
    found = read({STATUS: status(PACKAGES)})
    assert {package.name: package.version for package in found.installed} == PACKAGES
    assert (found.manager, found.path) == ("dpkg", STATUS)


@pytest.mark.parametrize(
    "words",
    [
        "deinstall ok config-files",
        "purge ok not-installed",
        "install reinstreq half-installed",
        "install ok half-configured",
        "install ok unpacked",
        "install ok triggers-pending",
    ],
)
def test_only_the_third_word_installed_counts(words: str) -> None:
    found = read({STATUS: stanza("jq") + "\n" + stanza("skopeo", status=words)})
    assert [package.name for package in found.installed] == ["jq"]
    (skopeo,) = found.named("skopeo")
    assert (skopeo.selection, skopeo.flag, skopeo.state) == tuple(words.split())


def test_one_name_may_be_installed_for_several_architectures() -> None:
    text = stanza("libc6", status="deinstall ok config-files", architecture="i386") + "\n" + stanza("libc6")
    assert [package.architecture for package in read({STATUS: text}).named("libc6")] == ["amd64", "i386"]


@pytest.mark.skipif(not shutil.which("dpkg-query"), reason="dpkg-query is the judge")
def test_this_host_reads_as_dpkg_query_says() -> None:
    form = "${Package}|${Version}|${Architecture}|${db:Status-Status}|${db:Status-Eflag}|${db:Status-Want}\n"
    told = subprocess.run(["dpkg-query", "-W", "-f", form], capture_output=True, text=True, check=True).stdout
    found = parse_status(Path(STATUS).read_bytes(), STATUS)
    expected = [Package(*line.split("|")[:6]) for line in told.splitlines()]  # type: ignore[arg-type]
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_an_empty_list_is_an_error_and_not_an_empty_system() -> None:
    with pytest.raises(FactError, match="lists no installed package"):
        read({STATUS: ""})


def test_a_list_where_nothing_is_installed_is_an_error() -> None:
    with pytest.raises(FactError, match="lists no installed package"):
        read({STATUS: stanza("jq", status="deinstall ok config-files")})


def test_no_database_is_an_error() -> None:
    with pytest.raises(FactError, match="no package database"):
        read({"/etc/hostname": "x"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Package: jq\nVersion: 1\n", "without name or status"),
        ("Package: jq\nStatus: installed\nVersion: 1\n", "without name or status"),
        ("Status: install ok installed\nVersion: 1\n", "without name or status"),
        ("Package: jq\nStatus: install ok installed\n", "no version"),
        ("Package: jq\ngarbage\n", "line 2 is no field: 'garbage'"),
        (" cut off at the start\n\n" + stanza("jq"), "without name or status"),
        ("Maintainer: x\n\n" + stanza("jq"), "without name or status"),
    ],
)
def test_a_damaged_database_is_an_error(text: str, reason: str) -> None:
    with pytest.raises(FactError, match=re.escape(reason)):
        parse_status(text.encode(), STATUS)


def test_a_form_feed_in_a_description_starts_no_new_field() -> None:
    text = stanza("jq") + "Homepage: x\x0cPackage: skopeo\x1cStatus: install ok installed\u2028Version: 9\n"
    assert [package.name for package in parse_status(text.encode(), STATUS)] == ["jq"]


def test_bytes_that_are_not_utf8_do_no_harm() -> None:
    text = stanza("jq").encode() + b"Maintainer: J\xf6rg\n"
    assert parse_status(text, STATUS)[0].name == "jq"


@pytest.mark.timeout(10)
def test_a_hostile_line_costs_no_time() -> None:
    text = stanza("jq").encode() + b"X-Long: " + b"\xc2\xa0" * 2_000_000 + b"\n"
    assert len(parse_status(text, STATUS)) == 1


def test_the_number_of_packages_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PACKAGES", 2)
    with pytest.raises(FactError, match="more than 2 packages"):
        parse_status(status(PACKAGES).encode(), STATUS)


def test_a_distroless_folder_is_read() -> None:
    folder = "/var/lib/dpkg/status.d"
    tree: dict[str, Entry] = {
        f"{folder}/base": "Package: base-files\nVersion: 12\nArchitecture: amd64\n",
        f"{folder}/base.md5sums": "0 /etc/x\n",
    }
    assert [str(package.name) for package in read(tree, "").installed] == ["base-files"]


@pytest.mark.parametrize("family", ["rhel", "suse", ""])
def test_an_rpm_system_is_read_from_its_database(family: str) -> None:
    podman = package("podman", "2:4.9.4-12.el9", VENDOR="Example", INSTALL_TIME=1_700_000_000)
    key = package("gpg-pubkey", "8483c65d-5ccc5b19", "", PACKAGER="Example <keys@example.org>")
    found = read({NDB_PATH: ndb([podman, package("jq", "1.6-15.el9", "noarch"), key])}, family)
    assert (found.manager, found.path) == ("rpm", NDB_PATH)
    assert [(one.name, one.version, one.architecture) for one in found.installed] == [
        ("podman", "2:4.9.4-12.el9", "x86_64"),
        ("jq", "1.6-15.el9", "noarch"),
    ]
    assert found.all[0].rpm == RpmOrigin("Example", "", "", "", 1_700_000_000)
    assert found.keys == (RpmKey("8483c65d", "Example <keys@example.org>"),)


def test_an_rpm_system_without_database_is_an_error_and_never_an_empty_list() -> None:
    with pytest.raises(FactError, match="no package database"):
        read({STATUS: status(PACKAGES)}, "rhel")


def test_an_rpm_system_with_dpkg_on_it_is_still_an_rpm_system() -> None:
    assert read({STATUS: status(PACKAGES), NDB_PATH: ndb([package("jq")])}, "rhel").manager == "rpm"


def test_a_debian_system_with_rpm_on_it_is_still_a_debian_system() -> None:
    assert read({STATUS: status(PACKAGES), "/var/lib/rpm/rpmdb.sqlite": b"x"}).manager == "dpkg"


def test_added_architectures_are_read() -> None:
    tree: dict[str, Entry] = {STATUS: stanza("jq"), "/var/lib/dpkg/arch": "amd64\ni386\n"}
    assert read(tree).architectures == ("amd64", "i386")


@given(
    st.lists(st.sampled_from(["Package: a", "Version: 1", "Status: install ok installed", " x", "", "y"]), max_size=12)
)
def test_any_order_of_lines_is_packages_or_an_error(lines: list[str]) -> None:
    try:
        assert len(parse_status("\n".join(lines).encode(), STATUS)) <= len(lines)
    except FactError as error:
        assert error.message  # noqa: PT017


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_noise_is_an_error_and_nothing_else(noise: bytes) -> None:
    for data in (noise, stanza("jq").encode() + noise):
        try:
            parse_status(data, STATUS)
        except FactError as error:
            assert error.message  # noqa: PT017
