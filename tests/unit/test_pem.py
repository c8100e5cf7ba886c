import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator import pem
from diskimage_validator.pem import blocks, private_keys
from tests.support import pki

LABELS = frozenset({b"CERTIFICATE"})
CA = pki.pem(pki.certificate("Internal CA"))
PIECES = st.sampled_from(
    [
        b"-----BEGIN CERTIFICATE-----",
        b"-----END CERTIFICATE-----",
        b"-----BEGIN EC PRIVATE KEY-----",
        b"\n",
        b"\r",
        b"MIIB",
    ]
)


def test_blocks_have_the_line_that_they_begin_in() -> None:
    data = b"# one\n\n" + CA + b"text\n" + pki.private_key("x") + CA
    assert [block.line for block in blocks(data, LABELS)] == [
        number for number, line in enumerate(data.split(b"\n"), start=1) if line == b"-----BEGIN CERTIFICATE-----"
    ]


def test_labels_that_nobody_asks_for_are_passed_over() -> None:
    assert list(blocks(pki.private_key("x"), LABELS)) == []
    (block,) = blocks(b"-----BEGIN X-----\n" + CA, LABELS)
    assert block.der


def test_private_keys_are_found_with_line_and_kind() -> None:
    data = CA + b"x -----BEGIN ENCRYPTED PRIVATE KEY-----\n\n" + pki.private_key("x")
    line = CA.count(b"\n") + 1
    assert private_keys(data) == [(line, "ENCRYPTED PRIVATE KEY"), (line + 2, "PRIVATE KEY")]


def test_the_number_of_private_keys_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pem, "MAX_KEYS", 2)
    assert len(private_keys(pki.private_key("x") * 5)) == 2


def test_a_block_that_never_ends_or_is_huge_is_refused() -> None:
    huge = b"-----BEGIN CERTIFICATE-----\n" + b"A" * (pem.MAX_BLOCK + 1) + b"\n-----END CERTIFICATE-----\n"
    assert [block.fault for block in blocks(huge + CA[:60], LABELS)] == [
        "it is larger than 128 KiB",
        "it has no END line",
    ]


def test_a_million_lines_and_a_hundred_thousand_blocks_take_moments() -> None:
    bomb = b"\n" * 1_000_000 + b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n" * 100_000
    assert sum(1 for _ in blocks(bomb, LABELS)) == 100_000


@given(st.lists(PIECES | st.binary(max_size=20), max_size=40).map(b"".join))
def test_no_bytes_break_it(data: bytes) -> None:
    for block in blocks(data, LABELS):
        assert bool(block.fault) or block.der is not None
        assert 1 <= block.line <= data.count(b"\n") + 1
    assert all(1 <= line <= data.count(b"\n") + 1 for line, _ in private_keys(data))
