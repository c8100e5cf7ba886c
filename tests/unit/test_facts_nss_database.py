import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.facts import nss_database
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.ca_content import DISTRUSTED, TRUSTED, UNKNOWN
from diskimage_validator.facts.nss_database import parse_nss
from tests.support import pki
from tests.support.stores import MUST_VERIFY, NOT_TRUSTED, TRUSTED_DELEGATOR, make_nss

DER = pki.der(pki.certificate("Internal CA"))
SOUND = make_nss([(DER, TRUSTED_DELEGATOR)])


@pytest.mark.parametrize(
    ("record", "trust"),
    [
        (TRUSTED_DELEGATOR, TRUSTED),
        (NOT_TRUSTED, DISTRUSTED),
        (MUST_VERIFY, DISTRUSTED),
        (0xCE534355, UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_trust_is_what_the_record_says(record: int | None, trust: str) -> None:
    assert parse_nss(make_nss([(DER, record)])).certificates == [(trust, DER)]


def test_an_empty_database_holds_nothing() -> None:
    assert parse_nss(make_nss([])).certificates == []


def test_a_database_without_trust_columns_tells_no_trust() -> None:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE nssPublic (id, a0, a11)")
    database.execute("INSERT INTO nssPublic VALUES (1, ?, ?)", ((1).to_bytes(4, "big"), DER))
    database.commit()
    assert parse_nss(bytes(database.serialize())).certificates == [(UNKNOWN, DER)]


@pytest.mark.parametrize("value", ["text", None, b"x" * 200_000])
def test_rows_that_hold_no_certificate_are_named(value: object) -> None:
    assert parse_nss(make_nss([(value, None)])).unparsed[0].reason == "it is no certificate"  # type: ignore[list-item]


def test_the_number_of_rows_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nss_database, "MAX_CERTIFICATES", 1)
    assert "more than 1 rows" in parse_nss(make_nss([(DER, None), (DER + b"x", None)])).unparsed[0].reason


def test_a_view_in_place_of_the_table_is_not_run() -> None:
    with pytest.raises(FactError, match="no table nssPublic"):
        parse_nss(make_nss([(DER, None)], view=True))


def test_a_generated_column_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nss_database, "_MAX_STEPS", 2)
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE nssPublic (id, a0, a11)")
    database.executemany("INSERT INTO nssPublic VALUES (1, 2, ?)", [(b"x",)] * 30_000)
    database.commit()
    with pytest.raises(FactError, match="interrupted"):
        parse_nss(bytes(database.serialize()))


@pytest.mark.parametrize("data", [b"", b"text", SOUND[:100], SOUND[:4096]])
def test_other_files_are_no_database(data: bytes) -> None:
    with pytest.raises(FactError):
        parse_nss(data)


@given(st.binary(min_size=1, max_size=60), st.integers(0, len(SOUND)))
def test_no_bytes_raise_anything_but_a_fact_error(noise: bytes, at: int) -> None:
    for data in (noise, SOUND[:at] + noise + SOUND[at + len(noise) :]):
        try:
            parse_nss(data)
        except FactError:
            continue
