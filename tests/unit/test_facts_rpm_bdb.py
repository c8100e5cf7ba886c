"""Berkeley DB's hash table, as RPM used it up to EL8, and every way in which it can be damaged."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diskimage_validator.facts import rpm_bdb
from diskimage_validator.facts.base import FactError
from tests.support.rpm_databases import BDB_PATH, SMALL, changed, made, needs_bdb, read, real_headers, tree

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


@settings(deadline=None)
@given(st.binary(min_size=512, max_size=3000), st.sampled_from("<>"))
def test_any_bytes_are_a_hash_table_or_an_error(content: bytes, order: str) -> None:
    head = struct.pack(f"{order}8xIIIIBB", 0, rpm_bdb.MAGIC, 9, 512, 0, 8) + b"\0"
    start = head + content[len(head) : 32] + struct.pack(f"{order}I", len(content) // 512 - 1) + content[36:72]
    try:
        list(rpm_bdb.headers(start + struct.pack(f"{order}I", 1) + content[len(start) + 4 :]))
    except FactError:
        return
