"""The three formats of RPM's database: the same packages out of all of them, or an error."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from diskimage_validator.errors import TargetError
from diskimage_validator.facts import rpm_database
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.rpm_database import RpmDatabase, RpmKey, find_rpm_database
from tests.support import rpm_databases
from tests.support.memory_engine import Broken, Entry, Link, MemoryEngine
from tests.support.rpm_databases import (
    BDB_PATH,
    DATA,
    FORMATS,
    REAL,
    SMALL,
    SQLITE_PATH,
    made,
    needs_bdb,
    package,
    read,
    real_headers,
    tree,
)


def described(database: RpmDatabase) -> list[str]:
    """Return a line per package, as packages.txt has them."""
    return [
        "\t".join(
            (one.name, one.version, one.architecture, origin.vendor, str(origin.install_time), origin.signing_key)
        )
        for one in database.packages
        for origin in (one.origin,)
    ]


def test_a_real_database_reads_as_rpm_says() -> None:
    found = read(tree(SQLITE_PATH, REAL))
    assert described(found) == (DATA / "packages.txt").read_text().splitlines()
    assert (found.path, found.keys) == (SQLITE_PATH, ())
    assert (found.packages[0].origin.distribution, found.packages[0].origin.packager) == ("Mariner", "")


@pytest.mark.parametrize("path", FORMATS)
def test_every_format_gives_the_same(path: str) -> None:
    found = read(tree(path, made(path, real_headers())))
    assert described(found) == (DATA / "packages.txt").read_text().splitlines()


@needs_bdb
def test_a_table_of_a_big_endian_machine_is_read(tmp_path: Path) -> None:
    found = read(tree(BDB_PATH, rpm_databases.bdb(tmp_path, real_headers(), big_endian=True)))
    assert described(found) == (DATA / "packages.txt").read_text().splitlines()


@pytest.mark.skipif(not find_spec("pygorpmrustinfo"), reason="another reader of these formats is the judge")
@pytest.mark.parametrize("path", FORMATS)
def test_another_reader_finds_the_same(path: str, tmp_path: Path) -> None:
    file = tmp_path / Path(path).name
    # Of Berkeley DB's formats it knows only that of items with pages of their own, so make this one large.
    podman = package("podman", "2:4.9.4-12.el9", VENDOR="Example", OPENPGP=["x" * 3000] * 2)
    file.write_bytes(made(path, (*real_headers(), podman)))
    code = (
        "import json, sys, pygorpmrustinfo\n"
        "for p in pygorpmrustinfo.get_rpm_db_info(sys.argv[1]):\n"
        "    epoch = f\"{p['Epoch']}:\" if p['Epoch'] else ''\n"
        "    print(p['Name'], f\"{epoch}{p['Version']}-{p['Release']}\", p['Arch'], p['Vendor'], sep='\\t')\n"
    )
    told = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True).stdout
    found = read(tree(path, file.read_bytes()))
    assert sorted(told.splitlines()) == sorted(
        f"{one.name}\t{one.version}\t{one.architecture}\t{one.origin.vendor}" for one in found.packages
    )


@pytest.mark.parametrize("path", FORMATS)
def test_public_keys_are_no_packages(path: str) -> None:
    key = package("gpg-pubkey", "8483c65d-5ccc5b19", "", SUMMARY="Example Release key")
    found = read(tree(path, made(path, (SMALL[0], key))))
    assert [one.name for one in found.packages] == ["jq"]
    assert found.keys == (RpmKey("8483c65d", "Example Release key"),)


@pytest.mark.parametrize("path", FORMATS)
@pytest.mark.parametrize("headers", [(), SMALL[2:]])
def test_a_database_without_packages_is_an_error(path: str, headers: tuple[bytes, ...]) -> None:
    with pytest.raises(FactError, match=f"{path} lists no installed package"):
        read(tree(path, made(path, headers)))


@pytest.mark.parametrize("path", FORMATS)
@pytest.mark.parametrize("content", [b"", b"x", bytes(4096), bytes(100_000)])
def test_what_is_no_database_is_an_error(path: str, content: bytes) -> None:
    with pytest.raises(FactError) as caught:
        read(tree(path, content))
    assert caught.value.message.startswith(path)
    assert caught.value.hint


@pytest.mark.parametrize("path", FORMATS)
def test_a_damaged_header_is_an_error_of_the_whole_database(path: str) -> None:
    with pytest.raises(FactError, match="is cut off"):
        read(tree(path, made(path, (SMALL[0], b"short"))))
    with pytest.raises(FactError, match="a package without a name"):
        read(tree(path, made(path, (SMALL[0], rpm_databases.header({1001: "1"})))))


@pytest.mark.parametrize("path", FORMATS)
def test_a_database_that_is_cut_off_is_an_error(path: str) -> None:
    content = made(path, real_headers())
    for length in (100, 512, 4096, len(content) // 2, len(content) - 4096, len(content) - 16):
        with pytest.raises(FactError):
            read(tree(path, content[:length]))


@pytest.mark.parametrize("path", FORMATS)
def test_size_and_number_are_limited(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = made(path, SMALL)
    monkeypatch.setattr(rpm_database, "MAX_PACKAGES", 2)
    with pytest.raises(FactError, match="more than 2 packages"):
        read(tree(path, content))
    monkeypatch.setattr(rpm_database, "MAX_DATABASE", 1000)
    with pytest.raises(FactError, match="more than the 1000 that are read"):
        read(tree(path, content))


@pytest.mark.parametrize("path", FORMATS)
def test_nothing_is_left_behind(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = made(path, SMALL)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    read(tree(path, content))
    with pytest.raises(FactError):
        read(tree(path, content[:600]))
    assert list(tmp_path.iterdir()) == []


def test_a_link_from_the_old_place_to_the_new_one_is_one_database() -> None:
    entries: dict[str, Entry] = {
        "/usr/lib/sysimage/rpm/rpmdb.sqlite": REAL,
        "/var/lib/rpm": Link("../../usr/lib/sysimage/rpm"),
    }
    assert find_rpm_database(MemoryEngine(entries)) == "/var/lib/rpm/rpmdb.sqlite"
    assert len(read(entries).packages) == 12


def test_two_databases_are_an_error_because_one_of_them_is_not_used() -> None:
    with pytest.raises(FactError, match=r"several RPM databases: /var/lib/rpm/Packages and /var/lib/rpm/rpmdb\.sqlite"):
        find_rpm_database(MemoryEngine({SQLITE_PATH: REAL, BDB_PATH: b"old"}))


def test_no_database_is_none() -> None:
    assert find_rpm_database(MemoryEngine({"/etc/os-release": ""})) is None


def test_a_folder_instead_of_a_database_is_an_error() -> None:
    with pytest.raises(FactError, match="is no regular file"):
        read({f"{SQLITE_PATH}/file": ""})


def test_a_database_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(TargetError, match="Input/output error"):
        read({SQLITE_PATH: Broken()})
