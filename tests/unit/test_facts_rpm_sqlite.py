"""RPM's database in SQLite: the write-ahead log, and files that somebody made to attack their reader."""

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from diskimage_validator.facts import rpm_sqlite
from diskimage_validator.facts.base import FactError
from tests.support import rpm_databases
from tests.support.memory_engine import Entry, Link
from tests.support.rpm_databases import REAL, SMALL, SQLITE_PATH, read, tree


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


def test_a_schema_that_is_no_text_is_an_error(connection: tuple[sqlite3.Connection, Path]) -> None:
    opened, path = connection
    opened.execute("INSERT INTO Packages (blob) VALUES (?)", (SMALL[0],))
    opened.execute("PRAGMA writable_schema = ON")
    opened.execute("UPDATE sqlite_master SET sql = CAST(sql AS BLOB)")
    opened.commit()
    with pytest.raises(FactError, match="no table of packages as RPM makes it"):
        read(with_log(path))
