"""``ls``, ``cat`` and ``find`` in an image that the direct engine declines at some point."""

from pathlib import Path

import pytest

from diskimage_validator.cli import run
from tests.support import disk_layouts, images
from tests.support.memory_engine import Entry, MemoryEngine


@pytest.fixture
def damaged(tree: dict[str, Entry], tmp_path: Path) -> str:
    root = disk_layouts.unpack(tree | {"/etc/ssl/large": b"text" * 1_000_000}, tmp_path / "root")
    return str(disk_layouts.damaged(root, tmp_path / "disk.raw"))


@pytest.fixture
def other(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a dict in libguestfs' place."""
    module = "diskimage_validator.engines.guestfs.GuestfsEngine"
    monkeypatch.setattr(module, lambda image, **options: MemoryEngine(tree, disk=images.disk()))


def test_what_is_sound_is_read(damaged: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["cat", damaged, "/etc/ssl/large"]) == 0
    assert capfdbinary.readouterr().out == b"text" * 1_000_000
    assert run(["ls", damaged, "/etc/ssl"]) == 0
    assert capfdbinary.readouterr().out == b"certs\nlarge\n"


def test_what_is_declined_at_once_is_an_error(damaged: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ls", damaged, "/etc/ssl/certs", "--engine", "direct"]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: the direct engine declines: ")
    assert told.err.endswith("hint: leave --engine out\n")


def test_what_is_declined_in_the_middle_is_an_error(
    damaged: str, other: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["find", damaged, "/etc"]) == 3
    told = capsys.readouterr()
    assert "/etc/os-release\n" in told.out
    assert told.err.startswith("error: in the middle of it, the direct engine declined: ")
    assert told.err.endswith("hint: begin again with --engine guestfs\n")


def test_another_engine_goes_on_if_nothing_was_said_yet(
    damaged: str, other: None, capsys: pytest.CaptureFixture[str], tree: dict[str, Entry]
) -> None:
    assert run(["ls", damaged, "/etc/ssl/certs"]) == 0
    told = capsys.readouterr()
    assert "Public_Root.pem" in told.out.split()
    assert told.err == ""


def test_a_path_that_is_not_there_is_the_callers_mistake(damaged: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cat", damaged, "/none"]) == 2
    assert "no regular file in the target" in capsys.readouterr().err
