"""NSS's shared database ``cert9.db``: certificates and what NSS is told to trust them for.

It is SQLite. Certificates and trust records are rows of ``nssPublic``; a column is called ``a`` and the hexadecimal
number of its PKCS #11 attribute. Sources: NSS's lib/softoken/sdb.c (columns, numbers as 4 bytes big-endian) and
lib/util/pkcs11n.h (CKA_NSS..., CKT_NSS...).
"""

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING, Final

from diskimage_validator.certificates import MAX_CERTIFICATES, Unparsed
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.ca_content import DISTRUSTED, TRUSTED, UNKNOWN, Content

if TYPE_CHECKING:
    import sqlite3

_CLASS, _VALUE = "a0", "a11"
_TRUST_SHA1, _TRUST_SERVERS = "ace5363b4", "ace536358"
_CERTIFICATE: Final = (1).to_bytes(4, "big")
_TRUST_RECORD: Final = 0xCE534353.to_bytes(4, "big")
_MEANINGS: Final = {
    0xCE534352: TRUSTED,  # CKT_NSS_TRUSTED_DELEGATOR
    0xCE53435A: DISTRUSTED,  # CKT_NSS_NOT_TRUSTED
    0xCE534353: DISTRUSTED,  # CKT_NSS_MUST_VERIFY_TRUST: no anchor
}
_MAX_STEPS: Final = 2_000
_MAX_VALUE: Final = 128 * 1024


def parse_nss(data: bytes) -> Content:
    """Return the certificates of a cert9.db. Without a trust record their trust is unknown. Raises FactError.

    The file is hostile: it is opened in memory, its schema may run nothing, and the work that it causes is bounded.
    """
    import sqlite3

    if not data:  # it has no memory for nothing
        raise FactError("no NSS database: the file is empty")
    try:
        with closing(sqlite3.connect(":memory:")) as database:
            database.deserialize(data)
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 4 * _MAX_VALUE)
            steps = iter(range(_MAX_STEPS))
            database.set_progress_handler(lambda: next(steps, None) is None, 10_000)
            for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "query_only=ON"):
                database.execute(f"PRAGMA {pragma}")
            return _content(database)
    except (sqlite3.Error, OverflowError, ValueError, MemoryError) as error:  # MemoryError: an empty file
        raise FactError(f"no NSS database: {str(error) or 'it is empty'}") from error


def _content(database: "sqlite3.Connection") -> Content:
    kind = database.execute("SELECT type FROM sqlite_master WHERE name = 'nssPublic'").fetchone()
    if kind != ("table",):
        raise FactError("no NSS database: it has no table nssPublic")
    trust = _trust(database)
    content = Content()
    rows = database.execute(f"SELECT {_VALUE} FROM nssPublic WHERE {_CLASS} = ?", (_CERTIFICATE,))  # noqa: S608
    for index, (value,) in enumerate(rows, start=1):
        if index > MAX_CERTIFICATES:
            content.unparsed.append(Unparsed(index, f"more than {MAX_CERTIFICATES} rows: the rest was not read"))
            break
        if not isinstance(value, bytes) or len(value) > _MAX_VALUE:
            content.unparsed.append(Unparsed(index, "it is no certificate"))
            continue
        digest = hashlib.sha1(value, usedforsecurity=False).digest()
        content.certificates.append((trust.get(digest, UNKNOWN), value))
    return content


def _trust(database: "sqlite3.Connection") -> dict[bytes, str]:
    """Return by SHA-1 of a certificate what the database says about TLS servers."""
    columns = {row[1] for row in database.execute("PRAGMA table_info(nssPublic)")}
    if not {_TRUST_SHA1, _TRUST_SERVERS} <= columns:
        return {}
    query = f"SELECT {_TRUST_SHA1}, {_TRUST_SERVERS} FROM nssPublic WHERE {_CLASS} = ?"  # noqa: S608 - constants
    found: dict[bytes, str] = {}
    for digest, value in database.execute(query, (_TRUST_RECORD,)).fetchmany(MAX_CERTIFICATES):
        if isinstance(digest, bytes) and isinstance(value, bytes) and len(value) == 4:
            found[digest] = _MEANINGS.get(int.from_bytes(value, "big"), UNKNOWN)
    return found
