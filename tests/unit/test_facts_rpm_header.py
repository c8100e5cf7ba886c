import base64
import re
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diskimage_validator.facts import rpm_header as tags
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.rpm_header import Header
from tests.support.openpgp import KEY, packet, v3
from tests.support.rpm_databases import header, package


def raw(*entries: tuple[int, int, int, int], data: bytes = b"") -> bytes:
    """Return a header with these entries of the index: tag, type, offset, count."""
    index = b"".join(struct.pack(">IIII", *entry) for entry in entries)
    return struct.pack(">II", len(entries), len(data)) + index + data


def test_tags_are_read_by_their_type() -> None:
    found = Header(header({tags.NAME: "jq", 268: b"\x01\x02", tags.EPOCH: 2**32 - 1, 1106: ["one", "two"]}))
    assert (found.text(tags.NAME), found.binary(268), found.number(tags.EPOCH)) == ("jq", b"\x01\x02", 2**32 - 1)
    assert (found.texts(1106, 5), found.text(1106)) == (["one", "two"], "one")
    assert (found.text(1), found.number(1), found.binary(1)) == ("", None, None)


def test_a_tag_added_at_installation_wins_over_the_region() -> None:
    assert Header(raw((1000, 6, 0, 1), (1000, 6, 2, 1), data=b"a\0b\0")).text(1000) == "b"


@pytest.mark.parametrize(
    ("written", "shown"),
    [("1.0-1.el9", "1.0-1.el9"), ("0:1.0-1", "1.0-1"), ("2:4.9.4-12.el9_4", "2:4.9.4-12.el9_4")],
)
def test_the_version_has_its_epoch_unless_it_is_zero(written: str, shown: str) -> None:
    assert Header(package("podman", written)).full_version == shown


def test_a_package_without_release_is_an_error() -> None:
    with pytest.raises(FactError, match="'jq' has no version or no release"):
        _ = Header(header({tags.NAME: "jq", tags.VERSION: "1.6"})).full_version


@pytest.mark.parametrize("tag", tags.SIGNATURES)
def test_the_signing_key_is_found_wherever_rpm_keeps_the_signature(tag: int) -> None:
    assert Header(header({tags.NAME: "jq", tag: packet(v3())})).signing_key == KEY.hex()


@pytest.mark.parametrize(
    ("text", "key"), [(base64.b64encode(packet(v3())).decode(), KEY.hex()), ("no base64", "unknown"), ("ö", "unknown")]
)
def test_the_signing_key_of_rpm_6_is_base64(text: str, key: str) -> None:
    assert Header(header({tags.OPENPGP: [text]})).signing_key == key


def test_a_package_without_signature_has_no_signing_key() -> None:
    assert Header(package("jq")).signing_key == ""


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (b"", "of 0 bytes is cut off"),
        (bytes(8), "0 tags and 0 bytes of data"),
        (raw((1000, 6, 0, 1), data=b"a\0")[:-1], "says that it has 1 tags and 2 bytes"),
        (raw((1000, 6, 0, 1), data=b"a\0") + b"x", "says that it has 1 tags and 2 bytes"),
        (struct.pack(">II", 2**32 - 1, 2**32 - 1), "4294967295 tags"),
        (struct.pack(">II", 2**28, 0), "268435456 tags"),
        (raw((1000, 10, 0, 1), data=b"a\0"), "tag 1000 of a header, type 10"),
        (raw((1000, 6, 3, 1), data=b"a\0"), "tag 1000 of a header, type 6, leads out of it"),
        (raw((1000, 8, 0, 2**32 - 1), data=b"a\0"), "leads out of it"),
        (raw((1003, 4, 0, 1), data=b"a\0"), "leads out of it"),
    ],
)
def test_a_damaged_header_is_an_error(blob: bytes, reason: str) -> None:
    with pytest.raises(FactError, match=re.escape(reason)):
        Header(blob)


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (raw((1000, 4, 0, 1), data=bytes(4)), "tag 1000 of a header is no text but of type 4"),
        (raw((1000, 6, 0, 1), data=b"abc"), "tag 1000 of a header has no end"),
        (raw((1000, 6, 0, 1), data=b"a" * 5000 + b"\0"), "more than 4096 bytes"),
        (raw((1000, 6, 2, 1), data=b"a\0"), "tag 1000 of a header"),
    ],
)
def test_a_name_that_is_none_is_an_error(blob: bytes, reason: str) -> None:
    with pytest.raises(FactError, match=re.escape(reason)):
        Header(blob).text(1000)


def test_numbers_and_bytes_have_to_be_such() -> None:
    found = Header(raw((1003, 6, 0, 1), (1008, 4, 0, 2), (268, 6, 0, 1), data=bytes(8)))
    for tag in (1003, 1008):
        with pytest.raises(FactError, match="is no number"):
            found.number(tag)
    with pytest.raises(FactError, match="is not binary"):
        _ = found.signing_key


def test_bytes_that_are_not_utf8_are_escaped() -> None:
    assert Header(raw((1000, 6, 0, 1), data=b"j\xff\0")).text(1000) == "j\\xff"


def ask_everything(blob: bytes) -> None:
    try:
        found = Header(blob)
        _ = found.full_version, found.signing_key, found.text(tags.VENDOR), found.number(tags.INSTALL_TIME)
    except FactError:
        return


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_header_or_an_error(blob: bytes) -> None:
    ask_everything(blob)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=5), st.integers(0, 300))
def test_a_bit_flipped_header_is_read_or_an_error(changes: list[tuple[int, int]], cut: int) -> None:
    blob = bytearray(package("jq", "1:1.6-2", VENDOR="Example", INSTALL_TIME=7) + b"")
    for position, value in changes:
        blob[position % len(blob)] = value
    ask_everything(bytes(blob[:cut] if cut < len(blob) and cut % 3 == 0 else blob))
