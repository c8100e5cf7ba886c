"""RPM's database since EL9 and Fedora 33, ``rpmdb.sqlite``: SQLite, with the headers in the table ``Packages``.

The library reads a file here that somebody may have made to attack it. So: no extensions, no functions of the schema's
own, limits on every value and on the time, and a check of the file's structure first, which also finds damage that
would otherwise hide packages.
"""

import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.rpm_data import Headers
from diskimage_validator.facts.rpm_header import MAX_HEADER
from diskimage_validator.printable import decode

if TYPE_CHECKING:
    import sqlite3

TIME_LIMIT: Final = 60.0
"""Seconds for the whole database. One of 130 packages takes 10 ms."""
TABLE: Final = "createtablepackages(hnumintegerprimarykeyautoincrement,blobblobnotnull)"
"""How RPM makes the table, without quotes and spaces. Any other table or view may compute what it seems to hold."""
_STEPS: Final = 10_000
"""Instructions of SQLite's virtual machine between two looks at the clock."""


def headers(path: Path) -> Headers:
    """Yield the headers in the order in which they were installed. Raises FactError for anything damaged.

    ``path`` is a private copy: SQLite makes its ``-shm`` beside it. A ``-wal`` that lies beside it is part of it.
    """
    import sqlite3

    deadline = time.monotonic() + TIME_LIMIT
    _check_size(path)
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_HEADER)
            connection.text_factory = decode
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA cell_size_check = ON")
            yield from _read(connection)
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter for a message that quotes what is no UTF-8
        reason = "it takes too long" if time.monotonic() > deadline else str(error)
        raise FactError(f"SQLite cannot read it: {reason}") from error


def _check_size(path: Path) -> None:
    """Raise FactError for a part of a page at the end, which SQLite fills with zeros and says nothing.

    Bytes 16 and 17 are the size of a page: "Database File Format" of SQLite, 1.3.2.
    """
    with path.open("rb") as file:
        start = file.read(18)
    page = int.from_bytes(start[16:18])
    page = 65536 if page == 1 else page
    if len(start) < 18 or not page or path.stat().st_size % page:
        raise FactError(f"{path.stat().st_size} bytes are no whole database of SQLite")


def _read(connection: "sqlite3.Connection") -> Iterator[bytes]:
    known = connection.execute("SELECT type, sql FROM sqlite_master WHERE name = 'Packages'").fetchall()
    if [(kind, re.sub(r"[\s'\"]", "", str(sql)).lower()) for kind, sql in known] != [("table", TABLE)]:
        raise FactError("it has no table of packages as RPM makes it")
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise FactError(f"SQLite finds it damaged: {verdict}")
    for (blob,) in connection.execute("SELECT blob FROM Packages ORDER BY hnum"):
        if not isinstance(blob, bytes):
            raise FactError("its table of packages holds something else than headers")
        yield blob
