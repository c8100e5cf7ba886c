"""Temporary folders: gone with their owner, or with whoever comes next; what is not ours, or still used, stays."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from diskimage_validator import temporary
from diskimage_validator.errors import EngineError
from diskimage_validator.temporary import LOCK, PREFIX, TemporaryFolder, remove_left_behind

OWNER = """\
import sys, time
from diskimage_validator.temporary import TemporaryFolder
folder = TemporaryFolder(sys.argv[1])
(folder.path / "inside").mkdir()
(folder.path / "inside/file").write_text("x")
print(folder.path, flush=True)
time.sleep(600)
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[str]:
    yield str(tmp_path)
    temporary._swept.discard(str(tmp_path))


def start_owner(parent: str) -> tuple["subprocess.Popen[str]", Path]:
    process = subprocess.Popen([sys.executable, "-c", OWNER, parent], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().rstrip("\n"))


def test_it_is_for_us_alone_and_gone_afterwards(parent: str) -> None:
    with TemporaryFolder(parent) as folder:
        assert folder.path.stat().st_mode & 0o777 == 0o700
        (folder.path / "file").write_text("x")
        remove_left_behind(parent)
        assert (folder.path / "file").exists()
    folder.close()
    assert list(Path(parent).iterdir()) == []


def test_what_a_killed_owner_left_is_removed_by_the_next_and_not_before(parent: str) -> None:
    process, left = start_owner(parent)
    with process:
        remove_left_behind(parent)
        assert (left / "inside/file").exists()
        process.send_signal(signal.SIGKILL)
    assert (left / "inside/file").exists()
    with TemporaryFolder(parent) as folder:
        assert list(Path(parent).iterdir()) == [folder.path]


def test_what_looks_alike_and_is_not_ours_stays(parent: str) -> None:
    base = Path(parent)
    (base / f"{PREFIX}reports").mkdir(mode=0o700)
    (base / f"{PREFIX}reports/lock").mkdir()
    (base / f"{PREFIX}notes").mkdir(mode=0o700)
    (base / f"{PREFIX}notes/report.json").write_text("{}")
    (base / f"{PREFIX}shared").mkdir(mode=0o755)
    (base / f"{PREFIX}shared/lock").touch()
    (base / f"{PREFIX}said").mkdir(mode=0o700)
    (base / f"{PREFIX}said/lock").write_text("of somebody else's program")
    (base / f"{PREFIX}file").write_text("x")
    (base / "elsewhere").mkdir(mode=0o700)
    (base / "elsewhere/lock").touch()
    (base / f"{PREFIX}link").symlink_to("elsewhere")
    os.mkfifo(base / f"{PREFIX}fifo")
    before = sorted(str(path) for path in base.rglob("*"))
    remove_left_behind(parent)
    assert sorted(str(path) for path in base.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_folder_of_another_account_stays(parent: str) -> None:
    other = Path(parent, f"{PREFIX}other")
    other.mkdir(mode=0o700)
    (other / LOCK).touch()
    os.chown(other, 65534, 65534)
    remove_left_behind(parent)
    assert (other / LOCK).exists()


def test_a_parent_that_is_not_there_is_an_error_and_nothing_to_remove(tmp_path: Path) -> None:
    remove_left_behind(str(tmp_path / "none"))
    with pytest.raises(EngineError, match="no temporary folder can be made: No such file or directory"):
        TemporaryFolder(str(tmp_path / "none"))


def test_whoever_removes_takes_nothing_from_whoever_makes(parent: str) -> None:
    def make(_: int) -> bool:
        with TemporaryFolder(parent) as folder:
            (folder.path / "file").write_text("x")
            return (folder.path / "file").read_text() == "x"

    with ThreadPoolExecutor(4) as pool:
        sweeps = [pool.submit(remove_left_behind, parent) for _ in range(200)]
        assert all(pool.map(make, range(200)))
        assert [sweep.result() for sweep in sweeps] == [None] * 200
    assert list(Path(parent).iterdir()) == []
