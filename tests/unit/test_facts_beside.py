"""Facts that a second process reads are those that one process would have read, whatever happens to the second."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from diskimage_validator.engines.open import open_target
from diskimage_validator.errors import DeclinedError
from diskimage_validator.facts import FACTS, Facts, Unreadable, beside, collect
from diskimage_validator.facts.scene import Reader, Scene
from tests.support import disk_layouts, disks
from tests.support.memory_engine import Entry, MemoryEngine
from tests.support.waiting import no_children

APART = [name for name, reader in FACTS.items() if reader.beside]


@pytest.fixture
def image(tree: dict[str, Entry], tmp_path: Path) -> Path:
    raw = disk_layouts.whole_disk(disk_layouts.unpack(tree, tmp_path / "root"), tmp_path / "disk.raw")
    return disks.qcow2(raw, tmp_path / "disk.qcow2", "-c")


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names of the facts that came from second processes."""
    seen: list[list[str]] = []
    result = beside.Beside.result

    def spy(self: beside.Beside) -> dict[str, Any]:
        found = result(self)
        seen.append(list(found))
        return found

    monkeypatch.setattr(beside.Beside, "result", spy)
    return seen


def read(image: Path, processes: int) -> Facts:
    with open_target(str(image), engine="direct") as engine:
        return replace(collect(engine, processes=processes), collected=FIXED)


FIXED = datetime(2026, 1, 1, tzinfo=UTC)


def in_the_second(monkeypatch: pytest.MonkeyPatch, fault: Callable[[Scene], object]) -> None:
    """Let something happen in the second process, before it reads the packages."""
    us, reader = os.getpid(), FACTS["packages"]

    def fail(scene: Scene) -> Any:
        if os.getpid() != us:
            fault(scene)
        return reader.read(scene)

    monkeypatch.setitem(FACTS, "packages", Reader(reader.title, fail, beside=True))


def test_two_processes_read_what_one_reads(image: Path, results: list[list[str]]) -> None:
    assert read(image, 2) == read(image, 1)
    assert results == [APART, []]
    assert no_children()


def test_where_no_list_is_wanted_one_process_will_do(image: Path, results: list[list[str]]) -> None:
    with open_target(str(image), engine="direct") as engine:
        facts = collect(engine, only=("packages", "services"), processes=2)
        assert engine.reserve_fork(), "it was not used"
    assert not isinstance(facts.packages, Unreadable)
    assert results == [[]]


def test_an_engine_that_cannot_share_reads_all_itself(tree: dict[str, Entry], results: list[list[str]]) -> None:
    one, two = (replace(collect(MemoryEngine(tree), processes=number), collected=FIXED) for number in (1, 2))
    assert one == two
    assert results == [[], []]


def decline(scene: Scene) -> None:
    raise DeclinedError("not in this process")


FAULTS: dict[str, Callable[[Scene], object]] = {
    "killed": lambda scene: os.kill(os.getpid(), signal.SIGKILL),
    "declined": decline,
    "interrupted": lambda scene: os.kill(os.getpid(), signal.SIGINT),
    "a note": lambda scene: scene.engine.notes.append("only one of us knows"),
    "missing rights": lambda scene: scene.engine.deny("a file"),
    "no pickle": lambda scene: scene._found.update(boot=lambda: None),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_happens_to_the_second_the_first_reads_all(
    image: Path, results: list[list[str]], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    expected = read(image, 1)
    in_the_second(monkeypatch, FAULTS[fault])
    assert read(image, 2) == expected
    assert results == [[], []]
    assert no_children()


def test_a_second_process_that_hangs_is_given_up(
    image: Path, results: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = read(image, 1)
    monkeypatch.setattr(beside, "MOST", 0.2)
    in_the_second(monkeypatch, lambda scene: time.sleep(60))
    assert read(image, 2) == expected
    assert results == [[], []]
    assert no_children()


def test_the_second_process_ends_with_an_error_in_the_first(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_second(monkeypatch, lambda scene: time.sleep(60))

    def fail(scene: Scene) -> Any:
        raise DeclinedError("the tree cannot be read")

    monkeypatch.setitem(FACTS, "leftovers", Reader("leftovers", fail))
    with pytest.raises(DeclinedError, match="the tree"):
        read(image, 2)
    assert no_children()
