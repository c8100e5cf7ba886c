import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.facts.formats.shell import MAX_ASSIGNMENTS, MAX_VALUE, assignments


def found(text: str) -> list[tuple[str, str, int]]:
    return [(made.name, made.value, made.line) for made in assignments(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=/x", [("A", "/x", 1)]),
        ("export A=/x B=/y", [("A", "/x", 1), ("B", "/y", 1)]),
        ("\n  declare -x A='/a b'\n", [("A", "/a b", 2)]),
        ('A="/a b"/c', [("A", "/a b/c", 1)]),
        (r"A=/a\ b", [("A", "/a b", 1)]),
        ("A=1 git clone", [("A", "1", 1)]),
        ("true && A=1;B=2", [("A", "1", 1), ("B", "2", 1)]),
        ("(A=1)", [("A", "1", 1)]),
        ("alias g='A=1 git'", [("g", "A=1 git", 1), ("A", "1", 1)]),
        ('D="--env A=/x"', [("D", "--env A=/x", 1), ("A", "/x", 1)]),
        ("setenv A /x", [("A", "/x", 1)]),
        ("A=\\\n/x\nB=1", [("A", "/x", 1), ("B", "1", 3)]),
        ("A=", [("A", "", 1)]),
        ("A=/x # B=/y", [("A", "/x", 1)]),
        ("# A=/x\nB='#'", [("B", "#", 2)]),
        ("A=a#b", [("A", "a#b", 1)]),
        ("echo $A=1 ${A=1} -A=1 /A=1 AA:=1", []),
        ("[ x = y ]", []),
    ],
)
def test_assignments_are_found_wherever_a_command_may_have_them(
    text: str, expected: list[tuple[str, str, int]]
) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "computed"),
    [
        ("A=$HOME/x", True),
        ('A="${B:-/x}"', True),
        ("A=$(x)", True),
        ("A=`x`", True),
        ('A="`x`"', True),
        ("A='$HOME'", False),
        (r"A=\$HOME", False),
        ("A=/x", False),
    ],
)
def test_a_value_that_is_computed_is_said_to_be(text: str, computed: bool) -> None:
    assert [made.computed for made in assignments(text)] == [computed]


@given(st.text(alphabet=st.sampled_from("AB=\"'`$(){};&|<># \t\n\\/setnv0"), max_size=300))
def test_any_text_ends_in_assignments(text: str) -> None:
    for made in assignments(text):
        assert made.name.isidentifier()
        assert 1 <= made.line <= text.count("\n") + 1
        assert len(made.value) <= MAX_VALUE


def test_long_lines_are_cut_and_take_no_time() -> None:
    assert len(found("A=" + "x" * 1_000_000)[0][1]) == MAX_VALUE
    assert len(found("A=1 " * 100_000)) == MAX_ASSIGNMENTS
    assert len(found("'A=" * 300_000)) == MAX_ASSIGNMENTS
    assert found("\\\n" * 100_000 + "A=1")[-1][:2] == ("A", "1")


def test_only_what_is_wanted_counts() -> None:
    wanted = list(assignments("A=1\n" * 100_000 + "B=2", lambda name: name == "B"))
    assert [(made.name, made.line) for made in wanted] == [("B", 100_001)]
