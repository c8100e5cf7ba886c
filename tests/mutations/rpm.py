"""Defects of the packages of RPM systems, and of the database that lists them."""

import sqlite3
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from diskimage_validator.checks import CHECKS
from tests.support.mutations import Draft, Mutation
from tests.support.openpgp import KEY, packet, subpacket, v4
from tests.support.rpm_databases import (
    BDB_PATH,
    NDB_PATH,
    SQLITE_PATH,
    TABLE,
    brings,
    made,
    ndb,
    package,
    with_signature,
)
from tests.support.rpm_packages import PACKAGES, VENDOR, headers, name_of

RULES_RPM: dict[str, Any] = {"packages": {"origins": {"vendors": [VENDOR], "keys": [KEY.hex()]}}}

REQUIRED, FORBIDDEN, STATE, FOREIGN, ORIGIN = OF_PACKAGES = (
    "packages-required",
    "packages-forbidden",
    "packages-state",
    "packages-foreign",
    "packages-origin",
)
"""Checks that can tell nothing without the database."""
OTHER_KEY = bytes.fromhex("00000000deadbeef")
Change = Callable[[Draft], None]


def signed(blob: bytes, key: bytes = KEY) -> bytes:
    return with_signature(blob, packet(v4(hashed=subpacket(16, key))))


def of_the_vendor(name: str, version: str, architecture: str = "x86_64") -> bytes:
    """Return the header of one more package as the distribution makes them."""
    return signed(package(name, version, architecture, VENDOR=VENDOR))


def listed(*more: bytes, without: Iterable[str] = ()) -> Change:
    """Write the database anew: without some packages and with some more."""
    return lambda draft: _write(draft, (*(blob for blob in headers() if name_of(blob) not in without), *more))


def _write(draft: Draft, blobs: tuple[bytes, ...]) -> None:
    draft.remove(SQLITE_PATH)
    draft.write(SQLITE_PATH, made(SQLITE_PATH, blobs))


def _damaged(draft: Draft) -> None:
    """Flip a bit of the first header, where it counts its tags."""
    content = bytearray(draft.read(SQLITE_PATH))
    at = content.index(headers()[0][:64])
    content[at + 3] ^= 0x40
    draft.write(SQLITE_PATH, bytes(content))


def _cut_off(draft: Draft) -> None:
    draft.write(SQLITE_PATH, draft.read(SQLITE_PATH)[:-4096])


def _removed_in_the_log(draft: Draft) -> None:
    """Remove skopeo as ``rpm -e`` does where the machine is switched off before SQLite tidies up."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rpmdb.sqlite")
        path.write_bytes(draft.read(SQLITE_PATH))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = wal")
            blobs = connection.execute("SELECT hnum, blob FROM Packages").fetchall()
            (number,) = [number for number, blob in blobs if name_of(blob) == "skopeo"]
            connection.execute("DELETE FROM Packages WHERE hnum = ?", (number,))
            connection.commit()
            draft.write(SQLITE_PATH, path.read_bytes())
            draft.write(f"{SQLITE_PATH}-wal", Path(f"{path}-wal").read_bytes())


def _computed(draft: Draft) -> None:
    """Replace the table by a view that claims what is wanted."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rpmdb.sqlite")
        path.write_bytes(draft.read(SQLITE_PATH))
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(TABLE.replace("'Packages'", "Hidden"))
            connection.execute("INSERT INTO Hidden SELECT * FROM Packages")
            connection.execute("DROP TABLE Packages")
            connection.execute("CREATE VIEW Packages AS SELECT * FROM Hidden")
        draft.write(SQLITE_PATH, path.read_bytes())


def brought(draft: Draft) -> None:
    """Install a package with a file, as it is, and one with a link, which leads elsewhere."""
    files: dict[str, bytes | str] = {"/usr/share/agent/data": b"data", "/usr/share/agent/link": "data"}
    listed(signed(package("agent", VENDOR=VENDOR, **brings(files))))(draft)
    draft.write("/usr/share/agent/data", b"data")
    draft.link("/usr/share/agent/link", "data")


def of_files(name: str, change: Change, subject: str) -> Mutation:
    """Return a defect of a file that a package brought, which nothing but reading it finds."""

    def both(draft: Draft) -> None:
        brought(draft)
        change(draft)

    expected = frozenset({("packages-intact", subject)})
    return Mutation(f"rpm-{name}", "rpm", both, expected, {"packages": {"intact": {"packages": ["agent"]}}})


def rpm(name: str, change: Change, *expected: tuple[str, str]) -> Mutation:
    return Mutation(f"rpm-{name}", "rpm", change, frozenset(expected))


def unreadable(name: str, change: Change) -> Mutation:
    """Return a defect that leaves no word about packages."""
    return rpm(f"database-{name}", change, *((check, CHECKS[check].title) for check in OF_PACKAGES))


SKOPEO = ((REQUIRED, "skopeo"), (REQUIRED, "skopeo (>= 1.9)"))
MUTATIONS: list[Mutation] = [
    rpm("package-removed", listed(without=["skopeo"]), *SKOPEO),
    rpm("package-removed-in-the-log-only", _removed_in_the_log, *SKOPEO),
    rpm(
        "package-too-old-in-spite-of-its-epoch",
        listed(of_the_vendor("skopeo", "2:1.2.2-1.el9"), without=["skopeo"]),
        (REQUIRED, "skopeo (>= 1.9)"),
    ),
    rpm(
        "package-before-its-release",
        listed(of_the_vendor("jq", "1.5~rc2-1.el9"), without=["jq"]),
        (REQUIRED, "jq (>= 1.5)"),
    ),
    rpm("package-forbidden", listed(of_the_vendor("telnet-server", "1:0.17-85.el9")), (FORBIDDEN, "telnet-server")),
    rpm(
        "package-forbidden-by-pattern",
        listed(of_the_vendor("openssl-devel", "1:3.0.7-27.el9")),
        (FORBIDDEN, "openssl-devel"),
    ),
    rpm("package-foreign", listed(of_the_vendor("glibc", "2.34-100.el9", "i686")), (FOREIGN, "i686")),
    rpm("package-twice", listed(of_the_vendor("podman", "4:4.6.1-5.el9")), (STATE, "podman.x86_64")),
    rpm("package-of-another-vendor", listed(signed(package("agent", VENDOR="Example"))), (ORIGIN, "Example")),
    rpm("package-without-vendor", listed(signed(package("agent"))), (ORIGIN, "no vendor")),
    rpm("package-not-signed", listed(package("agent", VENDOR=VENDOR)), (ORIGIN, "no key")),
    rpm(
        "package-signed-with-another-key",
        listed(signed(package("agent", VENDOR=VENDOR), OTHER_KEY)),
        (ORIGIN, f"key {OTHER_KEY.hex()}"),
    ),
    of_files("file-changed", lambda draft: draft.write("/usr/share/agent/data", b"date"), "/usr/share/agent/data"),
    of_files("file-removed", lambda draft: draft.remove("/usr/share/agent/data"), "/usr/share/agent/data"),
    of_files("link-changed", lambda draft: draft.link("/usr/share/agent/link", "date"), "/usr/share/agent/link"),
    unreadable("removed", lambda draft: draft.remove(SQLITE_PATH)),
    unreadable("empty", lambda draft: _write(draft, ())),
    unreadable("with-keys-only", listed(without=PACKAGES)),
    unreadable("damaged", _damaged),
    unreadable("cut-off", _cut_off),
    unreadable("computed", _computed),
    unreadable("interrupted", lambda draft: draft.write(f"{SQLITE_PATH}-journal", b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7")),
    unreadable("beside-an-older-one", lambda draft: draft.write(BDB_PATH, b"older")),
    unreadable("in-both-places", lambda draft: draft.write(NDB_PATH, ndb(headers()))),
]
