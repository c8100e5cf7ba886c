import pytest

from diskimage_validator.policy_lines import DocumentError, format_path, parse_document


def problem_of(text: str) -> str:
    with pytest.raises(DocumentError) as caught:
        parse_document(text)
    return str(caught.value)


def test_every_node_has_its_line() -> None:
    document = parse_document("a:\n  b:\n    - x\n    - y\nc: 1\n")
    assert document.data == {"a": {"b": ["x", "y"]}, "c": 1}
    assert document.line(("a", "b", 1)) == 4
    assert document.line(("c",)) == 5


def test_what_is_not_there_has_the_line_of_its_parent() -> None:
    assert parse_document("a:\n  b: 1\n").line(("a", "nothing", 3)) == 1


def test_duplicate_keys_are_problems_at_any_depth() -> None:
    problems = parse_document("a:\n  b: 1\n  b: 2\na: 3\n").problems
    assert [str(problem) for problem in problems] == [
        "line 3: .a.b: duplicate key, first used in line 2",
        "line 4: .a: duplicate key, first used in line 1",
    ]


def test_a_syntax_error_has_its_line() -> None:
    assert problem_of("a: 1\nb: [\n").startswith("line 3: no valid YAML")


def test_an_empty_document_is_refused() -> None:
    assert "empty" in problem_of("# nothing\n")


def test_python_objects_are_not_made() -> None:
    assert "could not determine a constructor" in problem_of("a: !!python/object/apply:os.getpid []")


@pytest.mark.parametrize("text", ["a: !!bool zz", "a: !!int ''", "a: !!timestamp x", "a: !!float x"])
def test_a_tag_on_the_wrong_text_is_a_problem_and_no_crash(text: str) -> None:
    assert "does not fit its tag" in problem_of(text)


def test_control_characters_are_refused() -> None:
    assert "no valid YAML" in problem_of("a: \x01")


@pytest.mark.parametrize("text", ['a: ["\\ud800"]', '"\\udfff": 1', '"\\ud83d\\ude00"'])
def test_half_characters_are_refused(text: str) -> None:
    assert problem_of(text) == "line 1: half of a surrogate pair is no character"


def test_deep_nesting_is_refused() -> None:
    assert "nested too deeply" in problem_of("[" * 5000 + "]" * 5000)


def test_aliases_work() -> None:
    assert parse_document("a: &x [1]\nb: *x\n").data == {"a": [1], "b": [1]}


def test_aliases_that_blow_up_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "more than 20000 nodes" in problem_of("\n".join(lines))


def test_an_alias_into_itself_is_refused() -> None:
    assert "points into itself" in problem_of("a: &x [*x]")


def test_two_documents_are_refused() -> None:
    assert "expected a single document" in problem_of("a: 1\n---\nb: 2\n")


def test_paths_are_written_as_people_write_them() -> None:
    assert format_path(("packages", "required", 2)) == ".packages.required[2]"
