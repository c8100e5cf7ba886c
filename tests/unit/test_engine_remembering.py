"""What an engine remembers while facts are read, and no longer."""

from pathlib import Path

import pytest

from diskimage_validator.engines import paths
from diskimage_validator.engines.directory import DirectoryEngine


@pytest.fixture
def link(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("one")
    return tmp_path / "link"


def lead_to_two(link: Path) -> None:
    link.unlink()
    link.symlink_to("two")


def test_a_link_is_read_once(link: Path) -> None:
    with DirectoryEngine(link.parent) as engine:
        with engine.remembering():
            assert (engine.readlink("/link"), engine.read("/link")) == ("one", b"one")
            lead_to_two(link)
            assert (engine.readlink("/link"), engine.resolve("/link")) == ("one", "/one")
        assert (engine.readlink("/link"), engine.read("/link")) == ("two", b"two")


def test_without_remembering_it_is_read_each_time(link: Path) -> None:
    with DirectoryEngine(link.parent) as engine:
        assert engine.readlink("/link") == "one"
        lead_to_two(link)
        assert engine.readlink("/link") == "two"


def test_the_texts_that_are_remembered_are_limited(link: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MAX_TEXTS", 0)
    with DirectoryEngine(link.parent) as engine, engine.remembering():
        assert engine.readlink("/link") == "one"
        lead_to_two(link)
        assert engine.readlink("/link") == "two"
