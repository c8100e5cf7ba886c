import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.globs import fixed_folder, is_plain, matches, name_matches


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/etc/a", "/etc/a", True),
        ("/etc/a", "/etc/ab", False),
        ("/etc/*.d", "/etc/x.d", True),
        ("/etc/*.d", "/etc/x/y.d", False),
        ("/etc/**", "/etc/x/y.d", True),
        ("/etc/**.d", "/etc/x/y.d", True),
        ("/etc/**", "/etc", False),
        ("/etc/?", "/etc/a", True),
        ("/etc/?", "/etc//", False),
        ("/etc/[ab]c", "/etc/bc", True),
        ("/etc/[!ab]c", "/etc/bc", False),
        ("/etc/[!ab]c", "/etc/xc", True),
        ("/etc/[a-c]c", "/etc/bc", True),
        ("/etc/[!a]c", "/etc//c", False),
        ("/etc/[", "/etc/[", True),
        ("/etc/a.c", "/etc/abc", False),
        ("/etc/*", "/etc/a\nb", True),
        ("/etc/^$", "/etc/^$", True),
    ],
)
def test_patterns(pattern: str, path: str, expected: bool) -> None:
    assert matches(path, [pattern]) is expected


@pytest.mark.parametrize(
    ("pattern", "folder"),
    [("/etc/apt/*.d/x", "/etc/apt"), ("/etc/a*", "/etc"), ("/*", "/"), ("/etc/x", "/etc/x"), ("/a/[b]", "/a")],
)
def test_the_folder_that_does_not_vary(pattern: str, folder: str) -> None:
    assert fixed_folder(pattern) == folder


def test_no_pattern_covers_nothing() -> None:
    assert not matches("/etc", [])


@given(st.text())
def test_a_plain_path_covers_itself(path: str) -> None:
    if is_plain(path):
        assert matches(path, [path])


@given(st.text(alphabet="ab/*?[]!-\\"), st.text(alphabet="ab/*"))
def test_no_pattern_breaks_it(pattern: str, path: str) -> None:
    matches(path, [pattern])
    fixed_folder(pattern)


def test_a_name_matches_no_pattern_that_is_too_long() -> None:
    assert name_matches("ssh.service", "ssh.*")
    assert not name_matches("ssh.service", "cron.*")
    assert not name_matches("x", "*" * 2_000)
