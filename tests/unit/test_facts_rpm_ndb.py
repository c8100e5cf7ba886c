"""RPM's own format, as SUSE uses it, and every way in which it can be damaged."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diskimage_validator.facts import rpm_ndb
from diskimage_validator.facts.base import FactError
from tests.support import rpm_databases
from tests.support.rpm_databases import NDB_PATH, SMALL, changed, made, package, read, tree

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


@settings(deadline=None)
@given(st.binary(max_size=600), st.sampled_from([b"", struct.pack("<4sIII", b"RpmP", 0, 1, 1)]))
def test_any_bytes_are_an_ndb_or_an_error(content: bytes, start: bytes) -> None:
    for tail in (b"", bytes(4096)):
        try:
            list(rpm_ndb.headers(start + content + tail))
        except FactError:
            continue
