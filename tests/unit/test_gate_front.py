"""The process that is waited for and the one that works: what is forwarded, what is inherited, what is told."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.waiting import wait_for

PROGRAM = """
import os, signal, subprocess, sys, time
from pathlib import Path
from airgap_image_factory.gate.front import Interrupted, work_behind_a_front
folder = Path(sys.argv[1])
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs these tests may ignore it

def work(ledger):
    ledger.enter(folder / "one")
    ledger.enter(folder / "two")
    # Its parent dies at once: it is ours then.
    subprocess.run(["sh", "-c", "sleep 300 & echo $! > orphan"], cwd=folder)
    try:
        (folder / "worker").write_text(str(os.getpid()))
        {work}
    except Interrupted as error:
        (folder / "caught").touch()
        time.sleep(0.2)
        (folder / "interrupted").write_text(error.name)
        return error.exit_status
    finally:
        {end}

def clean_up(ledger, killed):
    (folder / "cleaned").write_text(" ".join([str(killed), *(path.name for path in ledger.folders())]))
    os.kill(int((folder / "orphan").read_text()), signal.SIGKILL)

sys.exit(work_behind_a_front(work, clean_up, ends_with_parent={ends}))
"""
KILL_ORPHAN = 'pid = int((folder / "orphan").read_text()); os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)'

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    def begin(
        work: str = "time.sleep(300)", *, end: str = KILL_ORPHAN, ends: bool = False, shell: bool = False
    ) -> "subprocess.Popen[bytes]":
        program = PROGRAM.format(work=work, end=end, ends=ends)
        command = [sys.executable, "-c", program, str(tmp_path)]
        if shell:  # a parent in between
            command = [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", *command]
        process = subprocess.Popen(command, start_new_session=True)
        assert wait_for(lambda: (tmp_path / "worker").exists() or process.poll() is not None)
        return process

    return begin


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def number(file: Path) -> int:
    assert wait_for(lambda: file.exists() and file.read_text().strip())
    return int(file.read_text())


def test_the_status_of_the_work_is_that_of_the_whole(start: Start, tmp_path: Path) -> None:
    assert start("return 3").wait(30) == 3
    assert not (tmp_path / "cleaned").exists()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_forwarded_and_waited_for(start: Start, tmp_path: Path, sent: signal.Signals) -> None:
    process = start()
    process.send_signal(sent)
    assert process.wait(30) == 128 + sent
    assert (tmp_path / "interrupted").read_text() == sent.name
    assert gone(number(tmp_path / "orphan"))


def test_a_second_signal_does_not_break_off_the_cleaning(start: Start, tmp_path: Path) -> None:
    process = start()
    process.send_signal(signal.SIGTERM)
    assert wait_for((tmp_path / "caught").exists)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 128 + signal.SIGTERM
    assert (tmp_path / "interrupted").read_text() == "SIGTERM"


def test_the_worker_learns_that_the_front_was_killed(start: Start, tmp_path: Path) -> None:
    process = start()
    process.kill()
    process.wait(30)
    assert wait_for(lambda: gone(number(tmp_path / "worker")))
    assert (tmp_path / "interrupted").read_text() == "SIGTERM"
    assert gone(number(tmp_path / "orphan"))


def test_the_front_cleans_up_after_a_worker_that_was_killed(start: Start, tmp_path: Path) -> None:
    process = start()
    os.kill(number(tmp_path / "worker"), signal.SIGKILL)
    assert process.wait(30) == 4
    assert (tmp_path / "cleaned").read_text() == "SIGKILL one two"
    assert gone(number(tmp_path / "orphan"))


def test_the_front_cleans_up_what_the_worker_left(start: Start, tmp_path: Path) -> None:
    assert start("return 0", end="pass").wait(30) == 0
    assert (tmp_path / "cleaned").read_text() == "None one two"


@pytest.mark.parametrize("ends", [True, False])
def test_under_nodepool_the_end_of_the_parent_is_the_end(start: Start, tmp_path: Path, *, ends: bool) -> None:
    parent = start("time.sleep(1)\n        return 0", ends=ends, shell=True)
    parent.kill()
    parent.wait(30)
    worker = number(tmp_path / "worker")
    assert wait_for(lambda: gone(worker))
    assert (tmp_path / "interrupted").exists() == ends
