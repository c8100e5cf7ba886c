"""Many small files of one folder come by one command; what they are does not depend on it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from diskimage_validator.engines.boot.engine import BootEngine
from diskimage_validator.engines.ssh.around import ALONE, SMALL
from diskimage_validator.engines.ssh.engine import SshEngine
from diskimage_validator.errors import EngineError
from tests.functional.ssh_node import Node, run_node

COUNT = 40
MANY = "/srv/many"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with run_node(tmp_path_factory.mktemp("node")) as running:
        yield running


@pytest.fixture
def engine(node: Node) -> Iterator[SshEngine]:
    with SshEngine(node.server.destination, node.server.options()) as opened:
        yield opened


@pytest.fixture
def folder(node: Node) -> Iterator[Path]:
    """Give a folder of the node, as this host sees it: names and contents are odd, a file is secret, one is large."""
    folder = node.root / "srv/many"
    folder.mkdir()
    for number in range(COUNT):
        (folder / f"-n '{number}'\n$(id)").write_bytes(bytes([number]) * number + b"\n\0")
    (folder / "empty").touch()
    (folder / "secret").write_text("a key")
    (folder / "secret").chmod(0o600)
    (folder / "large").write_bytes(b"\xff" * (SMALL + 1))
    yield folder
    shutil.rmtree(folder)


def read_all(engine: SshEngine) -> dict[str, bytes]:
    return {name: engine.read(f"{MANY}/{name}") for name in engine.listdir(MANY)}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Give the commands that are run from now on: they run all the same."""
    from diskimage_validator.engines.ssh.shell import Shell

    seen: list[list[str]] = []
    run = Shell.run

    def noted(self: Shell, command: list[str], *, timeout: float, limit: int) -> tuple[int, bytes, bytes]:
        seen.append(list(command))
        return run(self, command, timeout=timeout, limit=limit)

    monkeypatch.setattr(Shell, "run", noted)
    return seen


def test_the_contents_are_those_of_the_files(engine: SshEngine, folder: Path, commands: list[list[str]]) -> None:
    engine.expect_walk()
    assert read_all(engine) == contents(folder)
    (fetched,) = [command for command in commands if command[0] == "cat"]
    names = {Path(name).name for name in fetched[2:]}
    assert len(names) == COUNT
    assert not names & {"secret", "large", "empty"}


def test_parts_of_files_are_those_of_the_files(engine: SshEngine, folder: Path) -> None:
    engine.expect_walk()
    for name, data in sorted(contents(folder).items()) * 2:
        assert engine.read(f"{MANY}/{name}", offset=1, limit=5, whole=False) == data[1:6]
        assert engine.read(f"{MANY}/{name}", offset=3, limit=9, whole=False) == data[3:12]


def test_without_a_list_of_all_files_each_is_read_by_itself(
    engine: SshEngine, folder: Path, commands: list[list[str]]
) -> None:
    assert read_all(engine) == contents(folder)
    assert commands == []


def test_files_that_change_meanwhile_are_read_one_by_one(engine: SshEngine, folder: Path) -> None:
    names = engine.listdir(MANY)
    engine.expect_walk()
    for name in names[:ALONE]:
        engine.read(f"{MANY}/{name}")
    longer, gone, *others = (name for name in names[ALONE:] if name.startswith("-n"))
    (folder / longer).write_bytes(b"longer than before")
    (folder / gone).unlink()
    now = contents(folder)
    for name in others:
        assert engine.read(f"{MANY}/{name}") == now[name]
    assert engine.read(f"{MANY}/{longer}", limit=6, whole=False) == now[longer][:6]
    with pytest.raises(EngineError, match="No such file"):
        engine.read(f"{MANY}/{gone}")


def test_a_file_that_gets_shorter_while_it_is_read_costs_nothing_else(engine: SshEngine, folder: Path) -> None:
    large = folder / "large"
    large.write_bytes(bytes(8 * SMALL))
    assert engine._read(f"{MANY}/large", 0, 10) == bytes(10)
    large.write_bytes(b"short")
    engine._read(f"{MANY}/large", 0, 8 * SMALL)
    assert engine._read(f"{MANY}/large", SMALL, 10) == b""
    assert engine._read(f"{MANY}/large", 0, 10) == b"short"


def test_what_the_kernel_has_mounted_during_a_boot_is_asked_again_at_its_end(engine: SshEngine, node: Node) -> None:
    BootEngine._rehearse(cast("BootEngine", engine))
    assert engine.notes == []
    assert engine._kernel is None
    assert "/proc" in engine._kernel_mounts()
