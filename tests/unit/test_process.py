import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from diskimage_validator.errors import EngineError
from diskimage_validator.process import Limits, run, run_bounded


def test_output_and_status_are_returned() -> None:
    done = run(["sh", "-c", "echo out; echo err >&2; exit 5"], timeout=10)
    assert (done.status, done.stdout, done.stderr) == (5, "out\n", "err\n")


def test_a_missing_program_is_named() -> None:
    with pytest.raises(EngineError, match="no-such-program is not installed"):
        run(["no-such-program"], timeout=1)


def test_a_process_that_hangs_is_ended() -> None:
    with pytest.raises(EngineError, match="did not finish within 1 s"):
        run(["sleep", "60"], timeout=1)


def test_memory_is_limited() -> None:
    greedy = ["/usr/bin/python3", "-c", "bytearray(2 << 30)"]
    assert run(greedy, timeout=60).status == 0
    done = run(greedy, timeout=60, limits=Limits(address_space=1 << 30))
    assert done.status != 0
    assert "MemoryError" in done.stderr


def test_cpu_time_is_limited() -> None:
    done = run(["sh", "-c", "while :; do :; done"], timeout=60, limits=Limits(cpu_seconds=1))
    assert done.status < 0 or done.status > 128


def test_the_callers_environment_is_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "value")
    assert "SECRET" not in run(["env"], timeout=10).stdout


def test_a_bounded_process_says_what_it_has_to_say() -> None:
    done = run_bounded(["sh", "-c", "echo out; echo err >&2; exit 5"], timeout=10, limit=100)
    assert (done.status, done.stdout, done.stderr) == (5, "out\n", "err\n")
    assert run_bounded(["no-such-program"], timeout=1, limit=1).status == 127
    text = b"more than a pipe holds\n" * 10_000
    assert run_bounded(["cat"], timeout=10, limit=len(text), stdin=text).stdout == text.decode()
    assert run_bounded(["cat"], timeout=10, limit=1).stdout == ""


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("sleep {nap}", "did not finish within 1 s"),
        ("trap '' TERM; sleep {nap} & sleep {nap}", "did not finish within 1 s"),
        ("sleep {nap} & echo gone", "did not finish within 1 s"),
        ("exec >&- 2>&-; sleep {nap}", "did not finish within 1 s"),
        ("sleep {nap} & yes", "more than 1000 bytes of output"),
        ("sleep {nap} & yes >&2", "did not finish within 1 s"),
    ],
)
def test_a_bounded_process_takes_what_it_started_along(script: str, expected: str) -> None:
    nap = f"600.{time.monotonic_ns()}"  # nobody else sleeps as long
    with pytest.raises(EngineError, match=expected):
        run_bounded(["sh", "-c", script.format(nap=nap)], timeout=1, limit=1000)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and nap in everything_that_runs():
        time.sleep(0.05)
    assert nap not in everything_that_runs()


def everything_that_runs() -> str:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(file.read_text(errors="replace"))
    return "\n".join(found)


def test_what_is_run_with_limits_ends_with_the_thread_that_runs_it(tmp_path: Path) -> None:
    program = (
        "import pathlib, threading, time\n"
        "from diskimage_validator.process import Limits, run\n"
        f"pid = pathlib.Path('{tmp_path}/pid')\n"
        "command = ['sh', '-c', f'echo $$ > {pid}; exec sleep 60']\n"
        "threading.Thread(target=lambda: run(command, timeout=90, limits=Limits()), daemon=True).start()\n"
        "while not pid.exists() or not pid.read_text(): time.sleep(0.05)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
    process = Path("/proc", (tmp_path / "pid").read_text().strip())
    deadline = time.monotonic() + 10
    while process.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not process.exists()
