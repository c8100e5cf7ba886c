import pytest

from diskimage_validator.checks import CHECKS
from diskimage_validator.checks.base import Question
from diskimage_validator.errors import ValidatorError
from diskimage_validator.model import Finding, Status
from tests.support import images, pki
from tests.support.asking import ask, facts_of, only
from tests.support.memory_engine import Entry, File, Link

CHECK = "commands-forbidden"


def forbid(tree: dict[str, Entry], *patterns: str) -> list[Finding]:
    return ask(CHECK, tree, images.policy(commands={"forbidden": list(patterns)}), commands=patterns)


@pytest.mark.parametrize("pattern", ["gcc", "gcc-*", "["])
def test_what_is_not_on_path_passes(tree: dict[str, Entry], pattern: str) -> None:
    tree["/opt/bin/gcc"] = images.program()
    finding = only(forbid(tree, pattern))
    assert (finding.status, finding.subject) == (Status.PASS, pattern)


def test_a_forbidden_command_fails(tree: dict[str, Entry]) -> None:
    finding = only(forbid(tree, "jq"))
    assert (finding.status, finding.subject, finding.message) == (Status.FAIL, "jq", "/usr/bin/jq is there")


def test_every_match_of_a_pattern_fails(tree: dict[str, Entry]) -> None:
    tree |= {"/usr/bin/gcc-12": images.program(), "/usr/local/bin/gcc-13": images.program(b"#!/bin/sh\n")}
    found = forbid(tree, "gcc-[0-9]*")
    assert [(finding.subject, finding.status) for finding in found] == [
        ("gcc-12", Status.FAIL),
        ("gcc-13", Status.FAIL),
    ]
    assert found[0].message == "/usr/bin/gcc-12 is there, and forbidden by 'gcc-[0-9]*'"


@pytest.mark.parametrize("entry", [Link("/nowhere"), File(b"x", 0o644), Link("/etc")])
def test_what_cannot_be_run_is_no_command(tree: dict[str, Entry], entry: Entry) -> None:
    tree["/usr/bin/gcc"] = entry
    assert only(forbid(tree, "gcc")).status is Status.PASS


def test_a_command_that_nobody_looked_at_is_neither_there_nor_missing(tree: dict[str, Entry]) -> None:
    question = Question(facts_of(tree), images.policy(commands={"forbidden": ["dash"]}), pki.NOW)
    with pytest.raises(ValidatorError, match="nobody looked at the command 'dash'"):
        list(CHECKS[CHECK].run(question))


def test_commands_that_could_not_be_read_could_not_tell(tree: dict[str, Entry]) -> None:
    tree["/usr/bin/podman"] = Link("podman")
    with pytest.raises(ValidatorError, match="more than 40 symbolic links"):
        forbid(tree, "gcc")


def test_nothing_asked_is_skipped(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP


def test_a_hostile_name_is_told_as_text(tree: dict[str, Entry]) -> None:
    tree["/usr/bin/gcc\udcff"] = images.program()
    assert only(forbid(tree, "gcc*")).subject == "gcc\\xff"


def test_a_folder_is_no_command_name() -> None:
    with pytest.raises(ValueError, match="without a folder, is wanted"):
        images.policy(commands={"forbidden": ["/usr/bin/gcc"]})
