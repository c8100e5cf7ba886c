import pytest

from diskimage_validator.printable import clean_path, decode, printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ünïcode", "plain ünïcode"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("evil\u202egpj", "evil\\u202egpj"),
        ("\udc80", "\\udc80"),
        ("\x9b31m", "\\x9b31m"),
        ("\ufffe", "\\ufffe"),
    ],
)
def test_only_printable_characters_are_left(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_long_text_is_cut() -> None:
    assert printable("x" * 1000, 10) == "x" * 9 + "…"


def test_bytes_that_are_no_text_are_kept_readable() -> None:
    assert decode(b"a\xffb") == "a\\xffb"
    assert clean_path("/a\udcffb") == "/a\\xffb"
