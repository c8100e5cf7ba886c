import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diskimage_validator.facts.formats.apt_conf import MAX_ITEM, AptConfig, read_apt_conf
from diskimage_validator.facts.formats.base import Malformed


def nothing(_: str) -> Iterator[tuple[str, str]]:
    return iter(())


def items(text: str) -> dict[str, str]:
    config = AptConfig()
    read_apt_conf(config, "x", text, nothing)
    return {name: item.value for name, item in config.items.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('A::B "1";', {"a::b": "1"}),
        ('A { B "1"; C { D "2"; }; };', {"a::b": "1", "a::c::d": "2"}),
        ('A\n{\n  B\n "1"\n ;}', {"a::b": "1"}),
        ('A::B "http://x//y"; // B "2";', {"a::b": "http://x//y"}),
        ('A::B "1#2"; # A::B "3";', {"a::b": "1#2"}),
        ('/* A "1"; */ B "2"; /* C "3";\n D "4"; */ E "5";', {"b": "2", "e": "5"}),
        ('A "/* 1 */";', {"a": "/* 1 */"}),
        ('A "1"; a "2";', {"a": "2"}),
        ('A::B "1"; A::C "2"; AB "3"; #clear A;', {"ab": "3"}),
        ('A::B::C "1"; #clear a::b; A::B::D "2";', {"a::b::d": "2"}),
        ('A:: "1"; A { "2"; };', {"a::#1": "1", "a::#2": "2"}),
        ("A 1;", {"a": "1"}),
        ('A "1" "2";', {"a": "1 2"}),
        ('A "1"; }; B "2";', {"a": "1", "b": "2"}),
        ("", {}),
    ],
)
def test_the_grammar(text: str, expected: dict[str, str]) -> None:
    assert items(text) == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('A "1"', 1),
        ('A "1";\n{ B "1"; };', 2),
        ("A b c;", 1),
        ('A "1', 1),
        ("#clear;", 1),
        ('#includes "x";', 1),
        ('A { #clear "x"; };', 1),
        ("A { " * 3000, 1),
        ("a" * (MAX_ITEM + 1), 1),
        ("a\n" * MAX_ITEM, MAX_ITEM // 2 + 2),
    ],
)
def test_what_apt_refuses_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(Malformed) as caught:
        items(text)
    assert caught.value.line == line


def test_a_file_is_included_where_it_is_named() -> None:
    config = AptConfig()
    read_apt_conf(config, "/x", 'A "1"; #include "/y"; B "3";', lambda path: iter([(path, 'A "2"; B "2";')]))
    assert [(item.path, item.value) for item in config.items.values()] == [("/y", "2"), ("/x", "3")]


def test_a_file_that_includes_itself_ends() -> None:
    text = '#include "/x";'
    with pytest.raises(Malformed, match="too many nested includes"):
        read_apt_conf(AptConfig(), "/x", text, lambda path: iter([(path, text)]))


def apt_config(text: str, folder: Path) -> dict[str, str] | None:
    """Return what apt itself makes of ``text``, below XX; None if it refuses it. Lists have no names there."""
    path = folder / "x.conf"
    path.write_text(text)
    done = subprocess.run(["apt-config", "-c", str(path), "dump"], check=False, capture_output=True, text=True)
    lines = [line.removesuffix(";").partition(" ") for line in done.stdout.splitlines() if line.startswith("XX")]
    return None if done.returncode else {name: value.strip('"') for name, _, value in lines if value != '""'}


PIECES = ["XX::A", "XX::B", "XX", "A", '"v"', '"a//b"', "{", "}", ";", "};", "\n", "//", "#", "/*", "*/", 'XX::A "1";']


@pytest.mark.skipif(not shutil.which("apt-config"), reason="apt is not there")
@given(st.lists(st.sampled_from([*PIECES, "#clear XX::B;", '"']), max_size=12).map(" ".join))
@settings(max_examples=150, deadline=None)
def test_it_reads_what_apt_reads(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    text = f'XX::Z "z";\n{text}'
    config = AptConfig()
    try:
        read_apt_conf(config, "x", text, nothing)
    except Malformed:
        ours = None
    else:
        named = [item for item in config.items.values() if item.name.startswith("XX") and item.value]
        ours = {item.name: item.value for item in named}
    assert ours == apt_config(text, tmp_path_factory.mktemp("apt"))
