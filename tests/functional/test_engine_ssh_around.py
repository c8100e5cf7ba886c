"""Many small files of one folder come by one command; what they are does not depend on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from diskimage_validator.engines.ssh.around import ALONE, SMALL
from diskimage_validator.engines.ssh.engine import SshEngine
from diskimage_validator.errors import EngineError
from tests.support.sshd import Server, serve

COUNT = 40


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with files whose names and contents are odd; one is for its owner only, and one is large."""
    for number in range(COUNT):
        (tmp_path / f"-n '{number}'\n$(id)").write_bytes(bytes([number]) * number + b"\n\0")
    (tmp_path / "empty").touch()
    (tmp_path / "secret").write_text("a key")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "large").write_bytes(b"\xff" * (SMALL + 1))
    return tmp_path


def read_all(engine: SshEngine, folder: Path) -> dict[str, bytes]:
    return {name: engine.read(f"{folder}/{name}") for name in engine.listdir(str(folder))}


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


def test_the_contents_are_those_of_the_files(server: Server, folder: Path, commands: list[list[str]]) -> None:
    with SshEngine(server.destination, server.options()) as engine:
        engine.expect_walk()
        assert read_all(engine, folder) == contents(folder)
    (fetched,) = [command for command in commands if command[0] == "cat"]
    names = {Path(name).name for name in fetched[2:]}
    assert len(names) == COUNT
    assert not names & {"secret", "large", "empty"}


def test_parts_of_files_are_those_of_the_files(server: Server, folder: Path) -> None:
    with SshEngine(server.destination, server.options()) as engine:
        engine.expect_walk()
        for path in sorted(folder.iterdir()) * 2:
            data = path.read_bytes()
            assert engine.read(str(path), offset=1, limit=5, whole=False) == data[1:6]
            assert engine.read(str(path), offset=3, limit=9, whole=False) == data[3:12]


def test_without_a_list_of_all_files_each_is_read_by_itself(
    server: Server, folder: Path, commands: list[list[str]]
) -> None:
    with SshEngine(server.destination, server.options()) as engine:
        assert read_all(engine, folder) == contents(folder)
    assert commands == []


def test_files_that_change_meanwhile_are_read_one_by_one(server: Server, folder: Path) -> None:
    with SshEngine(server.destination, server.options()) as engine:
        names = engine.listdir(str(folder))
        engine.expect_walk()
        for name in names[:ALONE]:
            engine.read(f"{folder}/{name}")
        longer, gone, *others = (name for name in names[ALONE:] if name.startswith("-n"))
        (folder / longer).write_bytes(b"longer than before")
        (folder / gone).unlink()
        before = contents(folder)
        for name in others:
            assert engine.read(f"{folder}/{name}") == before[name]
        assert engine.read(f"{folder}/{longer}", limit=6, whole=False) == before[longer][:6]
        with pytest.raises(EngineError, match="No such file"):
            engine.read(f"{folder}/{gone}")
