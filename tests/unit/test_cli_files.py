"""The commands for a person who wants to look into an image, on a folder as their target."""

import json
import os
from pathlib import Path

import pytest
import yaml

from diskimage_validator.catalogue import everything
from diskimage_validator.cli import run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("of the host")
    root = tmp_path / "root"
    for folder in ("etc/ssl", "usr/lib"):
        (root / folder).mkdir(parents=True)
    (root / "etc/ssl/ca.pem").write_text("pem")
    (root / "etc/escape").symlink_to("/../../secret")
    (root / "etc/ssl/link").symlink_to("ca.pem")
    (root / "usr/lib/os-release").write_text("ID=debian\nVERSION_ID=12\n")
    (root / "usr/lib/os-release").chmod(0o4755)
    return root


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_ls_lists_a_folder(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ls", f"dir:{root}", "/etc"]) == 0
    assert lines(capsys) == ["escape", "ssl"]


def test_ls_long_shows_mode_owner_size_and_target(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.utime(root / "usr/lib/os-release", (0, 0))
    assert run(["ls", "-l", f"dir:{root}", "/usr/lib/os-release"]) == 0
    (line,) = lines(capsys)
    assert line.split() == [
        "-rwsr-xr-x",
        f"{os.getuid()}:{os.getgid()}",
        "24",
        "1970-01-01",
        "00:00",
        "/usr/lib/os-release",
    ]
    run(["ls", "-l", f"dir:{root}", "/etc"])
    assert "escape -> /../../secret" in capsys.readouterr().out


def test_names_are_made_printable(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "etc/ssl/\x1b[2J").touch()
    run(["ls", f"dir:{root}", "/etc/ssl"])
    run(["find", f"dir:{root}", "/etc/ssl"])
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--name", "*.pem"], ["/etc/ssl/ca.pem"]),
        (["--type", "l"], ["/etc/escape", "/etc/ssl/link"]),
        (["--perm", "4000"], ["/usr/lib/os-release"]),
        (["--type", "d", "--name", "l*"], ["/usr/lib"]),
    ],
)
def test_find(options: list[str], expected: list[str], root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["find", f"dir:{root}", "/", *options]) == 0
    assert lines(capsys) == expected


def test_cat_copies_bytes(root: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    content = bytes(range(256)) * 10_000
    (root / "etc/blob").write_bytes(content)
    assert run(["cat", f"dir:{root}", "/etc/blob"]) == 0
    assert capfdbinary.readouterr().out == content


def test_cat_follows_links_inside_and_never_outside(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["cat", f"dir:{root}", "/etc/ssl/link"]) == 0
    assert capfd.readouterr().out == "pem"
    assert run(["cat", f"dir:{root}", "/etc/escape"]) == 2
    shown = capfd.readouterr()
    assert "of the host" not in shown.out
    assert "no regular file in the target" in shown.err


@pytest.mark.parametrize(
    "arguments", [["ls", "/nonesuch"], ["find", "/nonesuch"], ["find", "/etc/ssl/ca.pem"], ["cat", "/etc"]]
)
def test_what_is_not_there_is_the_callers_mistake(
    arguments: list[str], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, path = arguments
    assert run([command, f"dir:{root}", path]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_perm_is_octal(root: Path) -> None:
    assert run(["find", f"dir:{root}", "--perm", "u+s"]) == 2


def test_inspect_shows_one_part_whole(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", f"dir:{root}", "--part", "os"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["version_id"] == "12"
    assert run(["inspect", f"dir:{root}", "--part", "packages", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["reason"] == "no package database"


def test_diff_of_a_target_with_itself(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", f"dir:{root}", f"dir:{root}"]) == 0
    assert "no difference" in capsys.readouterr().out


def changed(root: Path) -> Path:
    """Make a copy of the tree with a change in /etc, one of the same size elsewhere, and one of a fact."""
    other = root.parent / "other"
    os.system(f"cp -a {root} {other}")
    (other / "etc/ssl/ca.pem").write_text("PEM")
    (other / "usr/lib/os-release").write_text("ID=debian\nVERSION_ID=13\n")
    (other / "usr/lib/new").touch()
    (other / "opt/tool/bin").mkdir(parents=True)
    return other


def test_diff_names_facts_and_files(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", f"dir:{root}", f"dir:{changed(root)}"]) == 1
    text = capsys.readouterr().out
    assert "version_id: 12 -> 13" in text
    assert "/etc/ssl/ca.pem: content" in text
    assert "+ /usr/lib/new" in text
    assert "+ /opt and 2 below it" in text
    assert "Files: 3" in text
    assert "/usr/lib/os-release: content" not in text


def test_diff_with_content_compares_every_byte(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "--content", "--format", "json", f"dir:{root}", f"dir:{changed(root)}"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert {entry["path"] for entry in document["files"]} == {
        "/etc/ssl/ca.pem",
        "/opt",
        "/opt/tool",
        "/opt/tool/bin",
        "/usr/lib/new",
        "/usr/lib/os-release",
    }
    assert document["content_compared"] is True


def test_a_long_list_of_files_is_cut_in_text(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = changed(root)
    for number in range(100):
        (other / f"etc/{number:03}").touch()
    run(["diff", f"dir:{root}", f"dir:{other}"])
    assert "more: --format json has them all" in capsys.readouterr().out


@pytest.mark.parametrize("check", everything())
def test_every_check_can_be_explained(check: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", check]) == 0
    assert "Example" in capsys.readouterr().out


def test_explain_lists_and_guesses(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain"]) == 0
    assert {line.split()[0] for line in lines(capsys)} == set(everything())
    assert run(["explain", "ca-trustd"]) == 2
    assert "did you mean 'ca-trusted'?" in capsys.readouterr().err
