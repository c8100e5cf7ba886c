"""The three formats of RPM's database: the same packages out of all of them, or an error."""

import shutil
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts import rpm_bdb, rpm_database, rpm_ndb, rpm_sqlite
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.rpm_database import RpmDatabase, RpmKey, find_rpm_database, read_rpm_database
from tests.support import rpm_databases
from tests.support.memory_engine import Broken, Entry, Link, MemoryEngine
from tests.support.rpm_databases import BDB_PATH, NDB_PATH, SQLITE_PATH, package, tree

DATA = Path(__file__).parents[1] / "data" / "rpmdb"
REAL = (DATA / "rpmdb.sqlite").read_bytes()
needs_bdb = pytest.mark.skipif(not shutil.which("db_load"), reason="Berkeley DB writes its own format: install db-util")


def read(entries: dict[str, Entry]) -> RpmDatabase:
    engine: Engine = MemoryEngine(entries)
    path = find_rpm_database(engine)
    assert path is not None
    return read_rpm_database(engine, path)


@cache
def real_headers() -> tuple[bytes, ...]:
    with TemporaryDirectory() as folder:  # SQLite writes beside what it reads
        copy = Path(folder, "rpmdb.sqlite")
        copy.write_bytes(REAL)
        return tuple(rpm_sqlite.headers(copy))


@cache
def made(path: str, headers: tuple[bytes, ...]) -> bytes:
    """Return a database with these headers in the format that belongs to ``path``."""
    with TemporaryDirectory() as folder:
        if path == SQLITE_PATH:
            return rpm_databases.sqlite(Path(folder), headers)
        return rpm_databases.ndb(headers) if path == NDB_PATH else rpm_databases.bdb(Path(folder), headers)


FORMATS = [SQLITE_PATH, NDB_PATH, pytest.param(BDB_PATH, marks=needs_bdb)]
SMALL = (package("jq", "1.6-15.el9"), package("bash", "5.1.8-9.el9"), package("gpg-pubkey", "8483c65d-5ccc5b19", ""))


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


# Where it is.


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
    with pytest.raises(Exception, match="Input/output error"):
        read({SQLITE_PATH: Broken()})


# SQLite.


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[tuple[sqlite3.Connection, Path]]:
    """Give an open database in WAL mode, as RPM uses it, and its path."""
    path = tmp_path / "rpmdb.sqlite"
    with closing(sqlite3.connect(path)) as opened:
        opened.execute("PRAGMA journal_mode = wal")
        opened.execute("PRAGMA wal_autocheckpoint = 0")
        opened.execute(rpm_databases.TABLE)
        opened.commit()
        yield opened, path


def with_log(path: Path, database: str = SQLITE_PATH) -> dict[str, Entry]:
    log = path.with_name(f"{path.name}-wal").read_bytes()
    assert log
    return {database: path.read_bytes(), f"{database}-wal": log}


def test_what_is_only_in_the_write_ahead_log_counts(connection: tuple[sqlite3.Connection, Path]) -> None:
    opened, path = connection
    opened.execute("INSERT INTO Packages (blob) VALUES (?)", (SMALL[0],))
    opened.commit()
    opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    opened.execute("INSERT INTO Packages (blob) VALUES (?)", (SMALL[1],))
    opened.commit()
    entries = with_log(path)
    assert [one.name for one in read(entries).packages] == ["jq", "bash"]
    del entries[f"{SQLITE_PATH}-wal"]
    assert [one.name for one in read(entries).packages] == ["jq"]


def test_the_log_lies_beside_what_a_link_leads_to(connection: tuple[sqlite3.Connection, Path]) -> None:
    opened, path = connection
    opened.execute("INSERT INTO Packages (blob) VALUES (?)", (SMALL[0],))
    opened.commit()
    entries = with_log(path, "/srv/rpm/rpmdb.sqlite")
    entries[SQLITE_PATH] = Link("/srv/rpm/rpmdb.sqlite")
    assert [one.name for one in read(entries).packages] == ["jq"]


def test_an_interrupted_transaction_is_an_error() -> None:
    with pytest.raises(FactError, match="a transaction of RPM was interrupted"):
        read({SQLITE_PATH: REAL, f"{SQLITE_PATH}-journal": b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"})
    assert read({SQLITE_PATH: REAL, f"{SQLITE_PATH}-journal": b"", f"{SQLITE_PATH}-wal": b""}).packages


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "schema",
    [
        (
            "CREATE VIEW Packages AS WITH RECURSIVE n(hnum, blob) AS"
            " (SELECT 1, x'00' UNION ALL SELECT hnum + 1, x'00' FROM n) SELECT * FROM n"
        ),
        (
            "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB AS (zeroblob(60000000)), x);"
            "INSERT INTO Packages (x) VALUES (1)"
        ),
        "CREATE TABLE Other (x)",
        "CREATE VIRTUAL TABLE Packages USING fts5(hnum, blob)",
    ],
)
def test_a_table_that_computes_its_content_is_an_error(schema: str, tmp_path: Path) -> None:
    path = tmp_path / "rpmdb.sqlite"
    with closing(sqlite3.connect(path)) as opened, opened:
        opened.executescript(schema)
    with pytest.raises(FactError, match="no table of packages as RPM makes it"):
        read(tree(SQLITE_PATH, path.read_bytes()))


@pytest.mark.parametrize("value", ["text", 7, 1.5])
def test_a_value_that_is_no_blob_is_an_error(value: object, tmp_path: Path) -> None:
    path = tmp_path / "rpmdb.sqlite"
    with closing(sqlite3.connect(path)) as opened, opened:
        opened.execute(rpm_databases.TABLE)
        opened.execute("INSERT INTO Packages (blob) VALUES (?)", (value,))
    with pytest.raises(FactError, match="something else than headers"):
        read(tree(SQLITE_PATH, path.read_bytes()))


def test_reading_takes_a_limited_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpm_sqlite, "TIME_LIMIT", -1.0)
    monkeypatch.setattr(rpm_sqlite, "_STEPS", 1)
    with pytest.raises(FactError, match="it takes too long"):
        read(tree(SQLITE_PATH, REAL))


def test_a_page_that_nobody_owns_is_damage_and_not_a_smaller_list() -> None:
    damaged = bytearray(REAL)
    (root,) = [number for number in range(2, len(REAL) // 4096) if REAL[(number - 1) * 4096] == 5][:1]
    at = (root - 1) * 4096
    (cells,) = struct.unpack_from(">H", REAL, at + 3)
    struct.pack_into(">H", damaged, at + 3, cells - 1)
    with pytest.raises(FactError, match="SQLite finds it damaged"):
        read(tree(SQLITE_PATH, bytes(damaged)))


# ndb.


def changed(content: bytes, form: str, position: int, *values: object) -> bytes:
    found = bytearray(content)
    struct.pack_into(form, found, position, *values)
    return bytes(found)


SLOT = 32
"""Where the first slot begins; the next one follows after 16 bytes."""
BLOB = 4096


@pytest.mark.parametrize(
    ("form", "position", "values", "reason"),
    [
        ("<I", 4, (1,), "version 1"),
        ("<I", 12, (0,), "cannot have 0 pages"),
        ("<I", 12, (2**32 - 1,), "cannot have 4294967295 pages"),
        ("<4s", SLOT, (b"slot",), "no slot at byte 32"),
        ("<I", SLOT + 4, (0,), "slot at byte 32 is damaged"),
        ("<I", SLOT + 4, (2,), "slot at byte 48 is damaged"),
        ("<I", SLOT + 8, (1,), "overlaps"),
        ("<I", SLOT + 8, (2**32 - 1,), "slot at byte 32 is damaged"),
        ("<I", SLOT + 12, (2**32 - 1,), "slot at byte 32 is damaged"),
        ("<I", SLOT + 12, (0,), "slot at byte 32 is damaged"),
        ("<I", SLOT + 12, (1,), "package 1 has 16 bytes"),
        ("<II", SLOT + 24, (256, 8), "overlaps"),
        ("<4s", BLOB, (b"BlbX",), "is not its header"),
        ("<I", BLOB + 4, (9,), "is not its header"),
        ("<I", BLOB + 12, (2**32 - 1,), "is not its header"),
        ("<I", BLOB + 12, (5,), "is not its header"),
        ("<B", BLOB + 40, (255,), "checksum of package 1 is wrong"),
    ],
)
def test_a_damaged_ndb_is_an_error(form: str, position: int, values: tuple[object, ...], reason: str) -> None:
    with pytest.raises(FactError, match=reason):
        read(tree(NDB_PATH, changed(made(NDB_PATH, SMALL), form, position, *values)))


def test_free_slots_and_several_pages_of_them_are_no_trouble() -> None:
    headers = [package(f"package-{number}") for number in range(300)]
    found = read(tree(NDB_PATH, rpm_databases.ndb(headers, pages=3)))
    assert [one.name for one in found.packages] == [f"package-{number}" for number in range(300)]


# Berkeley DB.

META_SIZE, META_LAST, META_BUCKETS, META_SPARES = 20, 32, 72, 96


def bdb_with_overflow() -> tuple[bytes, int, int]:
    """Return a table, and where its first page with items and its first overflow page begin."""
    content = made(BDB_PATH, real_headers())
    kinds = [content[at + 25] for at in range(0, len(content), 4096)]
    return content, kinds.index(13) * 4096, kinds.index(7) * 4096


@needs_bdb
@pytest.mark.parametrize(
    ("form", "position", "values", "reason"),
    [
        ("<I", 12, (0x053162,), "no hash table"),
        ("<I", 16, (7,), "version 7"),
        ("<I", META_SIZE, (4095,), "pages of 4095"),
        ("<I", META_SIZE, (0,), "pages of 0"),
        ("<B", 24, (1,), "is not known"),
        ("<B", 25, (9,), "type 9"),
        ("<B", 26, (1,), "flags 1"),
        ("<I", META_LAST, (2**32 - 1,), "it is cut off"),
        ("<I", META_BUCKETS, (2**32 - 1,), "4294967296 buckets"),
        ("<I", META_SPARES, (0,), "page 0 is not there|calls itself|two owners"),
        ("<I", META_SPARES, (2**32 - 1,), "is not there"),
    ],
)
def test_a_damaged_hash_table_is_an_error(form: str, position: int, values: tuple[object, ...], reason: str) -> None:
    with pytest.raises(FactError, match=reason):
        read(tree(BDB_PATH, changed(made(BDB_PATH, SMALL), form, position, *values)))


@needs_bdb
@pytest.mark.parametrize(
    ("form", "offset", "values", "reason"),
    [
        ("<I", 8, (99,), "calls itself 99"),
        ("<I", 16, (1,), "two owners"),
        ("<I", 16, (2**32 - 1,), "is not there"),
        ("<H", 20, (3,), "a page with 3 items"),
        ("<H", 20, (65534,), "a page with 65534 items"),
        ("<B", 25, (5,), "of type 5"),
        ("<H", 26, (0,), "items of a page overlap"),
        ("<H", 26, (4096,), "items of a page overlap"),
        ("<H", 28, (4095,), "items of a page overlap"),
        ("<B", 4091, (2,), "no package number"),
    ],
)
def test_a_damaged_page_of_items_is_an_error(form: str, offset: int, values: tuple[object, ...], reason: str) -> None:
    content, page, _ = bdb_with_overflow()
    with pytest.raises(FactError, match=reason):
        read(tree(BDB_PATH, changed(content, form, page + offset, *values)))


@needs_bdb
@pytest.mark.parametrize(
    ("form", "offset", "values", "reason"),
    [
        ("<I", 8, (99,), "calls itself 99"),
        ("<I", 16, (0,), "page 0 is not there"),
        ("<I", 16, (1,), "two owners|of type"),
        ("<H", 22, (0,), "with 0 bytes"),
        ("<H", 22, (65535,), "with 65535 bytes"),
        ("<B", 25, (13,), "of type 13"),
    ],
)
def test_a_damaged_overflow_page_is_an_error(form: str, offset: int, values: tuple[object, ...], reason: str) -> None:
    content, _, page = bdb_with_overflow()
    with pytest.raises(FactError, match=reason):
        read(tree(BDB_PATH, changed(content, form, page + offset, *values)))


@needs_bdb
def test_an_overflow_chain_that_leads_to_itself_ends() -> None:
    content, _, page = bdb_with_overflow()
    looping = changed(changed(content, "<I", page + 16, page // 4096), "<H", page + 22, 1)
    with pytest.raises(FactError, match="has two owners"):
        read(tree(BDB_PATH, looping))


# Anything.


def parse(path: str, content: bytes) -> None:
    try:
        read(tree(path, content))
    except FactError:
        return


Changes = list[tuple[int, int]]
CHANGES = st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), min_size=1, max_size=6)


def fuzz(path: str, headers: tuple[bytes, ...]) -> Callable[[Changes, int], None]:
    """Return a test that changes some bytes of a database, cuts one in four, and reads it."""

    @settings(deadline=None, max_examples=150)
    @given(CHANGES, st.integers(0, 2**20))
    def check(changes: Changes, cut: int) -> None:
        content = bytearray(made(path, headers))
        for position, value in changes:
            # Most of what matters is at the start of a page or of the file.
            at = position if position % 3 else position // 4096 * 4096 + position % 64
            content[at % len(content)] = value
        parse(path, bytes(content[: cut % len(content)] if cut % 4 == 0 else content))

    return check


@pytest.mark.timeout(120)
@pytest.mark.parametrize("path", FORMATS)
def test_a_bit_flipped_database_is_read_or_an_error(path: str) -> None:
    fuzz(path, SMALL)()  # type: ignore[call-arg]
    fuzz(path, real_headers())()  # type: ignore[call-arg]


@settings(deadline=None)
@given(st.binary(max_size=600), st.sampled_from([b"", struct.pack("<4sIII", b"RpmP", 0, 1, 1)]))
def test_any_bytes_are_an_ndb_or_an_error(content: bytes, start: bytes) -> None:
    for tail in (b"", bytes(4096)):
        try:
            list(rpm_ndb.headers(start + content + tail))
        except FactError:
            continue


@settings(deadline=None)
@given(st.binary(min_size=512, max_size=3000), st.sampled_from("<>"))
def test_any_bytes_are_a_hash_table_or_an_error(content: bytes, order: str) -> None:
    head = struct.pack(f"{order}8xIIIIBB", 0, rpm_bdb.MAGIC, 9, 512, 0, 8) + b"\0"
    start = head + content[len(head) : 32] + struct.pack(f"{order}I", len(content) // 512 - 1) + content[36:72]
    try:
        list(rpm_bdb.headers(start + struct.pack(f"{order}I", 1) + content[len(start) + 4 :]))
    except FactError:
        return
