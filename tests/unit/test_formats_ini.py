import configparser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.facts.formats.base import Malformed, Setting
from diskimage_validator.facts.formats.ini import parse_ini
from diskimage_validator.facts.formats.python_ini import MAX_SIZE, parse_python_ini

TEXT = """\
# comment
[main]
gpgcheck=1
; another
baseurl = http://a/
   http://b/

[x] # why
Name = a=b:c
empty=
"""


def test_libdnf_s_files() -> None:
    assert parse_ini(TEXT) == [
        Setting("main", "gpgcheck", "1", 3),
        Setting("main", "baseurl", "http://a/\nhttp://b/", 5),
        Setting("x", "Name", "a=b:c", 9),
        Setting("x", "empty", "", 10),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [("a=1", 1), ("[x]\nnonsense", 2), ("[x]\n\n =1", 3), ("[x", 1), ("[]", 1), ("[x] y", 1), ("[x]\n  y", 2)],
)
def test_what_libdnf_refuses_libzypp_passes_over(text: str, line: int) -> None:
    with pytest.raises(Malformed) as caught:
        parse_ini(text)
    assert caught.value.line == line
    assert isinstance(parse_ini(text, strict=False), list)


def test_libzypp_s_urls_on_lines_of_their_own() -> None:
    assert parse_ini("[x]\nbaseurl=http://a\n  http://b\n  enabled=0", strict=False) == [
        Setting("x", "baseurl", "http://a\nhttp://b", 2),
        Setting("x", "enabled", "0", 4),
    ]


def test_configparser_s_files_with_lines() -> None:
    text = "[global]\n# c\nIndex-URL : https://a\n[install]\nfind-links =\n    /x\n    /y\n"
    assert parse_python_ini(text) == [
        Setting("global", "index-url", "https://a", 3),
        Setting("install", "find-links", "\n/x\n/y", 5),
    ]
    inherited = parse_python_ini("[DEFAULT]\na=1\n[x]\nb=2\n")
    assert inherited == [Setting("x", "a", "1", 2), Setting("x", "b", "2", 4)]


@pytest.mark.parametrize(
    ("text", "line"),
    [("a=1", 1), ("[x]\nnonsense", 2), ("[x]\na=1\na=2", 3), ("[x]\n[x]", 2), ("[x]\n" + "a" * MAX_SIZE, 0)],
)
def test_what_configparser_refuses(text: str, line: int) -> None:
    with pytest.raises(Malformed) as caught:
        parse_python_ini(text)
    assert caught.value.line == line


PIECES = ["[a]", "[b]", "k=v", "k = w", " c", "K: v", "", "# x", "; y", "[c", "n", "=", "  k=v"]
LINES = st.lists(st.sampled_from(PIECES))


@given(LINES.map("\n".join))
def test_values_are_those_of_configparser(text: str) -> None:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except (configparser.Error, AttributeError):
        with pytest.raises(Malformed):
            parse_python_ini(text)
        return
    found = parse_python_ini(text)
    assert [(s.section, s.key, s.value) for s in found] == [
        (section, key, value) for section in parser.sections() for key, value in parser.items(section)
    ]
    lines = text.split("\n")
    assert all(lines[setting.line - 1].lower().strip().startswith(setting.key) for setting in found)
