"""JSON, TOML, deb822 and systemd's files: what they say, and on which line."""

import pytest

from diskimage_validator.facts.formats.base import Malformed, Setting
from diskimage_validator.facts.formats.deb822 import Field, parse_deb822
from diskimage_validator.facts.formats.json_text import MAX_DEPTH, parse_json
from diskimage_validator.facts.formats.systemd_conf import list_of, parse_systemd_conf
from diskimage_validator.facts.formats.toml_text import MAX_DOTS, MAX_SIZE, parse_toml

TOML = '''\
search = [
  "a",
  "b"]

[[registry]]
prefix = "x"
location = """
[[registry]]
"""
[[registry.mirror]]
location = "m1"
[[registry.mirror]]
location = "m2"
[[registry]]
prefix = "y"
[[registry.mirror]]
insecure = true
[table."docker.x"]
a.b = {c = 1}
'''


@pytest.mark.parametrize(
    ("where", "line"),
    [
        (("search",), 1),
        (("registry", 0), 5),
        (("registry", 0, "prefix"), 6),
        (("registry", 0, "location"), 7),
        (("registry", 0, "mirror", 1, "location"), 13),
        (("registry", 1, "prefix"), 15),
        (("registry", 1, "mirror", 0, "insecure"), 17),
        (("registry", 1, "mirror", 0, "absent"), 16),
        (("table", "docker.x", "a", "b", "c"), 19),
        (("absent",), 0),
    ],
)
def test_toml_lines(where: tuple[str | int, ...], line: int) -> None:
    assert parse_toml(TOML).line(*where) == line
    assert parse_toml(TOML.replace("\n", "\r\n")).line(*where) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = \n", 2),
        ("a = 1\na = 2\n", 2),
        ('a = "x', 1),
        ("[[x]\n", 1),
        ("a = " + "[" * 5000, 0),
        ("a = " + "9" * 5000, 0),
        ("a" + ".a" * (MAX_DOTS + 1) + " = 1", 1),
        ("#" * (MAX_SIZE + 1), 0),
    ],
)
def test_what_is_no_toml(text: str, line: int) -> None:
    with pytest.raises(Malformed) as caught:
        parse_toml(text)
    assert caught.value.line == line


def test_json_lines_and_duplicates() -> None:
    document = parse_json('{\n "a": 1,\n "b": ["x",\n "y"],\n "a": 2\n}')
    assert document.data == {"a": 2, "b": ["x", "y"]}
    assert document.duplicates == ("a",)
    assert (document.line("b", "y"), document.line("absent")) == (4, 0)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"a": 1,}', 1),
        ('{\n"a": 1\n"b": 2}', 3),
        ("", 1),
        ('{"a": NaN}', 0),
        ("[" * (MAX_DEPTH + 1), 1),
        ("9" * 5000, 0),
        ("\ufeff{}", 1),
    ],
)
def test_what_is_no_json(text: str, line: int) -> None:
    with pytest.raises(Malformed) as caught:
        parse_json(text)
    assert caught.value.line == line


def test_brackets_in_strings_are_no_nesting() -> None:
    assert parse_json(f'["{"[" * 500}", "\\"["]').data == ["[" * 500, '"[']


def test_deb822() -> None:
    text = "# c\nTypes: deb\nURIs: a\n# inside\n b\n\n\nTypes: x\ntypes: y\n"
    assert parse_deb822(text) == [
        {"types": Field("deb", 2), "uris": Field("a\nb", 3)},
        {"types": Field("y", 9)},
    ]


@pytest.mark.parametrize("text", [" a", "nonsense", ": x", "A: b\n\n c"])
def test_what_is_no_deb822(text: str) -> None:
    with pytest.raises(Malformed):
        parse_deb822(text)


def test_systemd_s_lists() -> None:
    one = parse_systemd_conf("[Time]\nNTP=a b\n;NTP=x\nNTP=c \\\n d\n")
    assert one == [Setting("Time", "NTP", "a b", 2), Setting("Time", "NTP", "c   d".replace("   ", "  "), 4)]
    two = parse_systemd_conf("[Time]\nNTP=\nNTP=e\n")
    placed = [("/1", setting) for setting in one] + [("/2", setting) for setting in two]
    assert list_of(placed[:2], "Time", "NTP") == [("a", "/1", 2), ("b", "/1", 2), ("c", "/1", 4), ("d", "/1", 4)]
    assert list_of(placed, "Time", "NTP") == [("e", "/2", 3)]
    assert list_of(placed[2:3], "Time", "NTP") == []
    assert list_of(placed, "Time", "FallbackNTP") is None
