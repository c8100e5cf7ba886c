"""A start that hangs is ended, and one that works or waits is left alone, however slow it is."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from diskimage_validator.engines import stall
from diskimage_validator.engines.stall import killed_if_it_hangs

NAME = "machine-of-test"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stall, "TICK", 0.1)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return Python under another name."""
    path = tmp_path / NAME
    path.symlink_to(sys.executable)
    return path


@pytest.fixture
def started(program: Path) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Collect what a test starts, and end it."""
    found: list[subprocess.Popen[bytes]] = []
    yield found
    for process in found:
        process.kill()
        process.wait()


def start(program: Path, code: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([program, "-I", "-S", "-c", f"open('/proc/self/comm', 'w').write('{NAME}')\n{code}"])


def test_one_that_does_nothing_is_ended(program: Path, started: list["subprocess.Popen[bytes]"]) -> None:
    with killed_if_it_hangs(NAME, timeout=60, computing=60, idle=5) as hang:
        started.append(start(program, "import time; time.sleep(60)"))
        assert started[0].wait(10) == -9
    assert hang.reason.startswith("it hangs: it did nothing for ")


def test_one_that_turns_in_circles_is_ended(program: Path, started: list["subprocess.Popen[bytes]"]) -> None:
    with killed_if_it_hangs(NAME, timeout=60, computing=0.3, idle=50) as hang:
        started.append(start(program, "while True: pass"))
        assert started[0].wait(20) == -9
    assert "and has not started" in hang.reason


def test_time_is_limited_too(program: Path, started: list["subprocess.Popen[bytes]"]) -> None:
    with killed_if_it_hangs(NAME, timeout=0.3, computing=60) as hang:
        started.append(start(program, "while True: pass"))
        assert started[0].wait(10) == -9
    assert hang.reason == "it has not started after 0 s"


def test_one_that_works_is_left_alone_and_so_is_what_was_there_before(
    program: Path, started: list["subprocess.Popen[bytes]"]
) -> None:
    started.append(start(program, "import time; time.sleep(60)"))
    while NAME not in Path(f"/proc/{started[0].pid}/comm").read_text():
        time.sleep(0.05)
    with killed_if_it_hangs(NAME, timeout=60, computing=60, idle=5) as hang:
        started.append(start(program, "while True: pass"))
        time.sleep(1.5)
    assert hang.reason == ""
    assert [process.poll() for process in started] == [None, None]


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """Collect the signals whose handlers ran: handlers that raise nothing."""
    found: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    earlier = [signal.signal(number, lambda number, _: found.append(number)) for number in numbers]
    yield found
    for number, handler in zip(numbers, earlier, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_what_runs_and_what_is_only_about_to(
    program: Path, started: list["subprocess.Popen[bytes]"], heard: list[int], number: signal.Signals
) -> None:
    with killed_if_it_hangs(NAME, timeout=60, computing=60, idle=500) as hang:
        started.append(start(program, "import time; time.sleep(60)"))
        os.kill(os.getpid(), number)
        assert started[0].wait(10) == -9
        started.append(start(program, "import time; time.sleep(60)"))
        assert started[1].wait(10) == -9
    assert (hang.reason, hang.interrupted, heard) == ("it was interrupted", True, [number])
    assert signal.set_wakeup_fd(-1) == -1


def test_other_signals_end_nothing_and_do_not_hurry_the_looks(
    program: Path, started: list["subprocess.Popen[bytes]"], heard: list[int]
) -> None:
    with killed_if_it_hangs(NAME, timeout=60, computing=60, idle=500) as hang:
        started.append(start(program, "import time; time.sleep(60)"))
        for _ in range(1000):
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.001)
    assert (hang.reason, hang.interrupted, len(heard)) == ("", False, 1000)
    assert started[0].poll() is None


def test_an_event_loop_keeps_its_signals(
    program: Path, started: list["subprocess.Popen[bytes]"], heard: list[int]
) -> None:
    ear, bell = socket.socketpair()
    with ear, bell:
        bell.setblocking(False)
        signal.set_wakeup_fd(bell.fileno())
        try:
            with killed_if_it_hangs(NAME, timeout=60, computing=60) as hang:
                os.kill(os.getpid(), signal.SIGTERM)
                assert ear.recv(8) == bytes([signal.SIGTERM])
        finally:
            assert signal.set_wakeup_fd(-1) == bell.fileno()
    assert (hang.reason, heard) == ("", [signal.SIGTERM])


def test_another_thread_than_the_main_one_watches_without_signals(
    program: Path, started: list["subprocess.Popen[bytes]"]
) -> None:
    reasons = []

    def watch() -> None:
        with killed_if_it_hangs(NAME, timeout=0.3, computing=60) as hang:
            started.append(start(program, "while True: pass"))
            started[0].wait(10)
        reasons.append(hang.reason)

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    assert reasons == ["it has not started after 0 s"]
