import pytest

from diskimage_validator.relations import Alternative, parse_commands, parse_relation


def test_a_name_alone_is_a_relation() -> None:
    assert parse_relation("skopeo").alternatives == (Alternative("skopeo"),)


def test_alternatives_and_bounds_are_read() -> None:
    relation = parse_relation("docker.io | docker-ce(>=5:24.0~rc1) | podman ( >> 4 )")
    assert relation.alternatives == (
        Alternative("docker.io"),
        Alternative("docker-ce", ">=", "5:24.0~rc1"),
        Alternative("podman", ">>", "4"),
    )


def test_a_relation_is_written_in_one_way() -> None:
    assert str(parse_relation(" a|b  (>=1) ")) == "a | b (>= 1)"


@pytest.mark.parametrize("name", ["R", "perl-CPAN", "python3_foo", "libstdc++6"])
def test_rpm_and_debian_names_are_names(name: str) -> None:
    assert parse_relation(name).alternatives[0].name == name


@pytest.mark.parametrize("text", ["", "a |", "a b", "a (1.0)", "a (>= )", "a (>= 1", "a:amd64", "a [amd64]", "a, b"])
def test_bad_syntax_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no package relation"):
        parse_relation(text)


@pytest.mark.parametrize("operator", ["<", ">", "==", "=<"])
def test_an_operator_that_debian_does_not_have_is_refused(operator: str) -> None:
    with pytest.raises(ValueError, match="unknown operator"):
        parse_relation(f"a ({operator} 1)")


def test_commands_have_alternatives() -> None:
    assert parse_commands("docker | podman") == ("docker", "podman")


@pytest.mark.parametrize("text", ["", "docker |", "/usr/bin/docker", "docker run", "../sh", "a\nb"])
def test_what_is_no_command_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no command name"):
        parse_commands(text)
