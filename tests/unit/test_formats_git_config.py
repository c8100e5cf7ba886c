import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from diskimage_validator.facts.formats.base import Malformed, Setting
from diskimage_validator.facts.formats.git_config import parse_git_config

TEXT = """\
[url "https://git.internal/"]
	insteadOf = https://git.example.org/ ; comment
[http] sslVerify = false
[core]
  a = "x # y" z   # c
  flag
  long = one \\
two
"""


def test_sections_values_and_lines() -> None:
    assert parse_git_config(TEXT) == [
        Setting("url.https://git.internal/", "insteadof", "https://git.example.org/", 2),
        Setting("http", "sslverify", "false", 3),
        Setting("core", "a", "x # y z", 5),
        Setting("core", "flag", "true", 6),
        Setting("core", "long", "one two", 7),
    ]


@pytest.mark.parametrize("text", ["a = 1", "[x", '[x]\na = "b', "[x]\na = \\q", "[x]\n= 1", "[x]\na b"])
def test_what_git_refuses(text: str) -> None:
    with pytest.raises(Malformed):
        parse_git_config(text)


def git(text: str, folder: Path) -> list[tuple[str, str]] | None:
    """Return what git itself reads; None if it refuses the file."""
    path = folder / "config"
    path.write_text(text)
    command = ["git", "config", "--file", str(path), "--list", "-z"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    entries = [entry.partition("\n") for entry in done.stdout.split("\0") if entry]
    # A key without a value has no line feed behind it.
    return None if done.returncode else [(name, value if feed else "true") for name, feed, value in entries]


PIECES = ["[s]", '[s "T.u"]', "k", "=", "v", " ", '"', "\\", "\n", "#", ";", "\\n", "\\\n", "a-b", "\t", "[S]"]


@pytest.mark.skipif(not shutil.which("git"), reason="git is not there")
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@settings(max_examples=150, deadline=None)
@example("a-b=[s]\t[s]")
def test_it_reads_what_git_reads(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    text = f"[s]\n{text}"
    theirs = git(text, tmp_path_factory.mktemp("git"))
    try:
        ours = [(f"{setting.section}.{setting.key}", setting.value) for setting in parse_git_config(text)]
    except Malformed:
        assert theirs is None
    else:
        # Before 2.45 git made a space of every blank inside of a value.
        assert _spaced(ours) == (None if theirs is None else _spaced(theirs))


def _spaced(entries: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value.replace("\t", " ")) for name, value in entries]
