"""RPM databases made by hand, so that tests can also make what RPM never would: headers, and the formats around them.

``ndb`` writes from the description of the format, because Debian's RPM knows only SQLite; ``bdb`` lets Berkeley DB do
it, so it needs db_load(1) of Debian's db5.3-util.
"""

import hashlib
import posixpath
import shutil
import sqlite3
import struct
import subprocess
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from diskimage_validator.facts import rpm_brought, rpm_sqlite
from diskimage_validator.facts import rpm_header as tags
from diskimage_validator.facts.rpm_database import RpmDatabase, find_rpm_database, read_rpm_database
from tests.support.memory_engine import Entry, MemoryEngine

if TYPE_CHECKING:
    Numbers = array[int]
else:
    Numbers = array
Value = str | int | bytes | Sequence[str] | Numbers
SQLITE_PATH = "/var/lib/rpm/rpmdb.sqlite"
NDB_PATH = "/usr/lib/sysimage/rpm/Packages.db"
BDB_PATH = "/var/lib/rpm/Packages"
DATA = Path(__file__).parents[1] / "data" / "rpmdb"
REAL = (DATA / "rpmdb.sqlite").read_bytes()
TABLE = "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)"


def header(values: Mapping[int, Value]) -> bytes:
    """Return a header with these tags, by the type of the value.

    Text, array of texts, 32-bit number, binary; an ``array`` of ``B``, ``H`` or ``I`` is one of chars or numbers.
    """
    index, data = b"", b""
    for tag, value in values.items():
        if isinstance(value, int):
            data += bytes(-len(data) % 4)
            kind, count, content = 4, 1, struct.pack(">I", value)
        elif isinstance(value, array):
            data += bytes(-len(data) % value.itemsize)
            kind, count = {"B": 1, "H": 3, "I": 4}[value.typecode], len(value)
            content = struct.pack(f">{count}{value.typecode}", *value)
        elif isinstance(value, bytes):
            kind, count, content = 7, len(value), value
        elif isinstance(value, str):
            kind, count, content = 6, 1, value.encode() + b"\0"
        else:
            kind, count, content = 8, len(value), b"".join(text.encode() + b"\0" for text in value)
        index += struct.pack(">IIII", tag, kind, len(data), count)
        data += content
    return struct.pack(">II", len(values), len(data)) + index + data


def with_signature(blob: bytes, signature: bytes) -> bytes:
    """Return the header with RSAHEADER behind all else, where RPM puts what it adds at installation."""
    count, size = struct.unpack_from(">II", blob)
    start = 8 + 16 * count
    entry = struct.pack(">IIII", tags.SIGNATURES[0], 7, size, len(signature))
    head = struct.pack(">II", count + 1, size + len(signature))
    return head + blob[8:start] + entry + blob[start:] + signature


def package(name: str, version: str = "1.0-1.el9", architecture: str = "x86_64", **more: Value) -> bytes:
    """Return the header of a package; ``version`` as ``[epoch:]version-release``; ``more``: tags by their names.

    ``SIGNED`` is RSAHEADER, where RPM keeps the signature.
    """
    epoch, _, rest = version.rpartition(":")
    upstream, _, release = rest.rpartition("-")
    values: dict[int, Value] = {tags.NAME: name, tags.VERSION: upstream, tags.RELEASE: release}
    values |= {tags.EPOCH: int(epoch)} if epoch else {}
    values |= {tags.ARCH: architecture} if architecture else {}
    return header(
        values | {tags.SIGNATURES[0] if tag == "SIGNED" else _number(tag): value for tag, value in more.items()}
    )


def _number(tag: str) -> int:
    found: int = getattr(tags, tag, None) or getattr(rpm_brought, tag)
    return found


def brings(files: Mapping[str, bytes | str], more: Mapping[str, Value] | None = None) -> dict[str, Any]:
    """Return the tags, by their names, of a package that brings files: path to content, or to the text of a link."""
    folders = sorted({posixpath.dirname(path) + "/" for path in files})
    own: dict[str, Value] = {
        "BASENAMES": [posixpath.basename(path) for path in files],
        "FOLDERS": folders,
        "FOLDER_OF": array("I", [folders.index(posixpath.dirname(path) + "/") for path in files]),
        "MODES": array("H", [0o120777 if isinstance(value, str) else 0o100644 for value in files.values()]),
        "DIGESTS": ["" if isinstance(value, str) else hashlib.sha256(value).hexdigest() for value in files.values()],
        "LINKS": [value if isinstance(value, str) else "" for value in files.values()],
        "ALGORITHM": 8,
        "STATES": array("B", [0] * len(files)),
    }
    return {**own, **(more or {})}


def sqlite(folder: Path, headers: Iterable[bytes], table: str = TABLE) -> bytes:
    """Return a database as RPM writes it; ``folder`` is a place for the file."""
    path = folder / "made.sqlite"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(table)
        connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(blob,) for blob in headers])
    return path.read_bytes()


def ndb(headers: Iterable[bytes], pages: int = 1) -> bytes:
    """Return a database in SUSE's format with ``pages`` pages of slots; the first package is number 1."""
    slots, blobs = b"", b""
    for package, blob in enumerate(headers, start=1):
        first = pages * 256 + len(blobs) // 16
        content = struct.pack("<4sIII", b"BlbS", package, 1_700_000_000, len(blob)) + blob
        content += bytes(-(len(content) + 12) % 16)
        blobs += content + struct.pack("<II4s", zlib.adler32(content), len(blob), b"BlbE")
        slots += struct.pack("<4sIII", b"Slot", package, first, (len(content) + 12) // 16)
    head = struct.pack("<4sIIII", b"RpmP", 0, 7, pages, len(slots) // 16 + 1).ljust(32, b"\0")
    free = struct.pack("<4sIII", b"Slot", 0, 0, 0)
    return head + slots + free * ((pages * 4096 - 32 - len(slots)) // 16) + blobs


def bdb(folder: Path, headers: Iterable[bytes], *, big_endian: bool = False) -> bytes:
    """Return a hash table of Berkeley DB with package numbers as keys, and RPM's counter under the key 0."""
    order = ">" if big_endian else "<"
    records = dict(enumerate(headers, start=1))
    records[0] = struct.pack(f"{order}I", len(records))
    lines = ["VERSION=3", "format=bytevalue", "type=hash", f"db_lorder={4321 if big_endian else 1234}"]
    lines += ["db_pagesize=4096", "HEADER=END"]
    for number, blob in records.items():
        lines += [f" {struct.pack(f'{order}I', number).hex()}", f" {blob.hex()}"]
    path = folder / "made.bdb"
    path.unlink(missing_ok=True)
    text = "\n".join([*lines, "DATA=END", ""])
    subprocess.run(["db_load", str(path)], input=text, text=True, check=True, cwd=folder)
    return path.read_bytes()


def tree(path: str, content: bytes) -> dict[str, Entry]:
    """Return a tree of the RHEL family with just this database."""
    return {"/etc/os-release": "ID=rocky\nVERSION_ID=9.4\n", path: content}


def read(entries: dict[str, Entry]) -> RpmDatabase:
    """Return what is in the database of a tree that has one."""
    engine = MemoryEngine(entries)
    path = find_rpm_database(engine)
    assert path is not None
    return read_rpm_database(engine, path)


@cache
def real_headers() -> tuple[bytes, ...]:
    """Return the twelve headers of REAL."""
    with TemporaryDirectory() as folder:  # SQLite writes beside what it reads
        copy = Path(folder, "rpmdb.sqlite")
        copy.write_bytes(REAL)
        return tuple(rpm_sqlite.headers(copy))


@cache
def made(path: str, headers: tuple[bytes, ...]) -> bytes:
    """Return a database with these headers in the format that belongs to ``path``."""
    with TemporaryDirectory() as folder:
        if path == SQLITE_PATH:
            return sqlite(Path(folder), headers)
        return ndb(headers) if path == NDB_PATH else bdb(Path(folder), headers)


def changed(content: bytes, form: str, position: int, *values: object) -> bytes:
    """Return ``content`` with ``values`` packed over it at ``position``."""
    found = bytearray(content)
    struct.pack_into(form, found, position, *values)
    return bytes(found)


needs_bdb = pytest.mark.skipif(not shutil.which("db_load"), reason="Berkeley DB writes its own format: install db-util")
FORMATS = [SQLITE_PATH, NDB_PATH, pytest.param(BDB_PATH, marks=needs_bdb)]
SMALL = (package("jq", "1.6-15.el9"), package("bash", "5.1.8-9.el9"), package("gpg-pubkey", "8483c65d-5ccc5b19", ""))
