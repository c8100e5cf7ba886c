import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.rules.air_gap import is_local, parse_host_pattern


@pytest.mark.parametrize(
    ("pattern", "host", "port", "allowed"),
    [
        ("*.internal", "mirror.internal", None, True),
        ("*.internal", "mirror.internal", 8080, True),
        ("*.internal", "internal", None, False),
        ("*.internal", "mirror.internal.example.org", None, False),
        ("*.internal", "internal.example.org", None, False),
        ("Mirror.Internal", "mirror.internal", None, True),
        ("mirror.internal:8080", "mirror.internal", 8080, True),
        ("mirror.internal:8080", "mirror.internal", None, False),
        ("mirror?.internal", "mirror1.internal", None, True),
        ("10.0.0.0/8", "10.1.2.3", 80, True),
        ("10.0.0.0/8", "11.1.2.3", None, False),
        ("10.0.0.0/8", "10.1.2.3.example.org", None, False),
        ("10.0.0.1", "10.0.0.1", None, True),
        ("10.0.0.1:53", "10.0.0.1", 53, True),
        ("10.0.0.1:53", "10.0.0.1", 54, False),
        ("fd00::/8", "fd00::1", None, True),
        ("[fd00::1]:53", "fd00:0::1", 53, True),
        ("fd00::/8", "10.0.0.1", None, False),
        ("*", "anything", 1, True),
    ],
)
def test_what_a_pattern_allows(pattern: str, host: str, port: int | None, allowed: bool) -> None:
    assert parse_host_pattern(pattern).matches(host, port) is allowed


@pytest.mark.parametrize(
    "text", ["https://mirror.internal", "mirror.internal/debian", "", "a b", "10.0.0.1/8", "a:x", "[a]"]
)
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(ValueError, match="a host such as"):
        parse_host_pattern(text)


@pytest.mark.parametrize("host", ["", "localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_the_machine_itself(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize("host", ["localhost.example.org", "127.0.0.1.example.org", "10.0.0.1", "0.0.0.0", "(no host)"])
def test_not_the_machine_itself(host: str) -> None:
    assert not is_local(host)


@given(st.text(max_size=40))
def test_any_text_is_a_pattern_or_none(text: str) -> None:
    try:
        pattern = parse_host_pattern(text)
    except ValueError:
        return
    assert str(pattern) == text
    assert pattern.matches("example.org", 80) in (True, False)
