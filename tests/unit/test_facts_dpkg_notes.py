"""Formats in which dpkg notes what packages brought."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.dpkg_filters import Filter, is_excluded, parse_filters
from diskimage_validator.facts.dpkg_notes import (
    parse_conffiles,
    parse_diversions,
    parse_list,
    parse_md5sums,
)

A, B = "0" * 31 + "a", "0" * 31 + "b"


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (f"{A}  usr/bin/jq", "/usr/bin/jq"),
        (f"{A}  ./usr/bin/jq", "/usr/bin/jq"),
        (f"{A}  /usr/bin/jq", "/usr/bin/jq"),
        (f"{A} *usr/bin/jq", "/usr/bin/jq"),
        (f"{A}  .//./usr/./bin/jq", "/usr/./bin/jq"),
        (f"{A}  .hidden", "/.hidden"),
        (f"{A}  {'./' * 1_000_000}x", "/x"),
        (f"{A}   with space ", "/ with space "),
        (f"{A}  a\rb", "/a\rb"),
        (f"{A.upper()}  x", "/x"),
    ],
    ids=lambda text: text[:60],
)
def test_sums_are_of_absolute_paths(line: str, path: str) -> None:
    assert parse_md5sums(f"{line}\n".encode()) == {path: A}


def test_what_is_not_utf8_is_a_path_for_an_engine() -> None:
    assert parse_md5sums(A.encode() + b"  \xff\n") == {"/\udcff": A}
    assert parse_list(b"/.\n/\xff\n") == {"/.", "/\udcff"}


@pytest.mark.parametrize("text", ["x", f"{A}\n", f"{A[1:]}  x\n", f"{A}  x\n\n", f"{A}  x", f"{A}\tx\n"])
def test_a_list_of_which_a_line_is_not_understood_is_damaged(text: str) -> None:
    with pytest.raises(FactError):
        parse_md5sums(text.encode())


def test_an_empty_list_has_nothing() -> None:
    assert (parse_md5sums(b""), parse_list(b""), parse_diversions(b"")) == ({}, set(), {})


def test_diversions_name_path_place_and_owner() -> None:
    assert parse_diversions(b"/bin/sh\n/bin/sh.distrib\ndash\n/a\n/b\n:\n") == {
        "/bin/sh": ("/bin/sh.distrib", "dash"),
        "/a": ("/b", ":"),
    }


@pytest.mark.parametrize("text", ["/a\n/b\n", "/a\n/b\n:", "x"])
def test_diversions_that_are_cut_off_are_damaged(text: str) -> None:
    with pytest.raises(FactError, match="cut off"):
        parse_diversions(text.encode())


def test_configuration_files_are_those_that_the_package_still_brings() -> None:
    status = f"""\
Package: a
Status: install ok installed
Architecture: amd64
Conffiles:
 /etc/one {A}
 /etc/with space {B}
 /etc/old {A} obsolete
 /etc/going {A} remove-on-upgrade
 /etc/new newconffile
Description: a
 /etc/no {A}

Package: b
Architecture: all
"""
    assert parse_conffiles(status.encode()) == {("a", "amd64"): {"/etc/one": A, "/etc/with space": B}}


def test_a_configuration_file_without_md5_is_damage() -> None:
    with pytest.raises(FactError, match="of a has no path and MD5"):
        parse_conffiles(b"Package: a\nConffiles:\n /etc/one\n")


@given(st.binary())
def test_no_bytes_break_a_parser(data: bytes) -> None:
    for parse in (parse_md5sums, parse_list, parse_diversions, parse_conffiles, parse_filters):
        try:
            parse(data)
        except FactError:
            continue


FILTERS = """\
# path-exclude=/no
path-exclude=/usr/share/doc/*
path-exclude /usr/share/man/*
 path-include = "/usr/share/doc/*/copyright"
no-debsig
path-excluded=/no
"""


def test_filters_are_options_with_a_pattern() -> None:
    assert parse_filters(FILTERS.encode()) == [
        Filter("/usr/share/doc/*", include=False),
        Filter("/usr/share/man/*", include=False),
        Filter("/usr/share/doc/*/copyright", include=True),
    ]


@pytest.mark.parametrize(
    ("path", "excluded"),
    [
        ("/usr/share/doc/jq/changelog.gz", True),
        ("/usr/share/doc/jq/a/b", True),
        ("/usr/share/doc/jq/copyright", False),
        ("/usr/share/man/man1/jq.1.gz", True),
        ("/usr/bin/jq", False),
    ],
)
def test_the_last_filter_that_covers_a_path_decides(path: str, excluded: bool) -> None:
    assert is_excluded(path, parse_filters(FILTERS.encode())) == excluded


def test_a_filter_without_end_is_refused() -> None:
    with pytest.raises(FactError, match="2000 characters"):
        parse_filters(b"path-exclude=" + b"*" * 2000)
