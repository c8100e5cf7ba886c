"""Whatever a file holds: a parser returns, or says that it is none, and does so soon."""

import contextlib
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diskimage_validator.facts.formats.apt_conf import AptConfig, read_apt_conf
from diskimage_validator.facts.formats.base import Malformed
from diskimage_validator.facts.formats.deb822 import parse_deb822
from diskimage_validator.facts.formats.git_config import parse_git_config
from diskimage_validator.facts.formats.ini import parse_ini
from diskimage_validator.facts.formats.json_text import parse_json
from diskimage_validator.facts.formats.python_ini import parse_python_ini
from diskimage_validator.facts.formats.systemd_conf import parse_systemd_conf
from diskimage_validator.facts.formats.toml_text import parse_toml


def parse_apt_conf(text: str) -> None:
    read_apt_conf(AptConfig(), "x", text, lambda path: iter(()))


PARSERS: list[Callable[[str], object]] = [
    parse_apt_conf,
    parse_deb822,
    parse_git_config,
    parse_ini,
    parse_json,
    parse_python_ini,
    parse_systemd_conf,
    parse_toml,
]
MARKS = [*"[]{}\"'=:;#\\\n \ta1,.\0é\udcff", "[[", "//", "/*", "*/", "[s]\n", '"""']
ANY = st.text(max_size=200) | st.lists(st.sampled_from(MARKS), max_size=40).map("".join)


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__name__)
@given(text=ANY)
@settings(max_examples=150, deadline=None)
def test_it_returns_or_refuses(parse: Callable[[str], object], text: str) -> None:
    with contextlib.suppress(Malformed):
        parse(text)


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__name__)
@pytest.mark.parametrize("start", ["", "[s]\n", "[s]\na=", '{"a":"', "a = [\n"])
@pytest.mark.parametrize(
    "piece", ["//", "\\\n", "[a\n", " a\n", "{", "a.", '"a" ', "[[a]]\n", "a=1\n", "a b c\n", '\\"', '"":0,']
)
def test_it_needs_no_quadratic_time(parse: Callable[[str], object], start: str, piece: str) -> None:
    text = start + piece * (512 * 1024 // len(piece))
    begin = time.monotonic()
    with contextlib.suppress(Malformed):
        parse(text)
    assert time.monotonic() - begin < 10
