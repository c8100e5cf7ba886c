"""The harness: commands take turns, so that a noisy machine is noisy for all of them; ratios are made round by round.

A command is measured whole: wall time from its start to its end, CPU time of itself and all its children (wait4(2)),
and memory as the largest sum of the proportional set sizes of its processes (Pss in proc_pid_smaps(5)), looked at fifty
times a second: a page that some of them share counts once. Who looks takes time from what is looked at, so that is done
while it warms up, unless memory is the question.
"""

import os
import select
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

PAUSE = 0.02
TIMEOUT = 1800.0
GRACE = 10.0
"""Seconds that what is measured has to end itself and what it started, once it is asked to."""


@dataclass(frozen=True)
class Case:
    """One thing that is measured: ``name`` for people, the command, and the exit statuses that count as a success.

    ``missing`` says why it cannot run here, and is empty if it can.
    """

    name: str
    command: Sequence[str] = ()
    good: tuple[int, ...] = (0,)
    missing: str = ""
    environment: tuple[tuple[str, str], ...] = ()


@dataclass
class Sample:
    """What one run took: seconds, seconds of CPU, bytes."""

    wall: float
    cpu: float
    memory: int


@dataclass
class Measured:
    """A case and its samples, in the order of the rounds. ``failed`` is what went wrong, if anything did."""

    case: Case
    samples: list[Sample] = field(default_factory=list)
    failed: str = ""

    def median(self, value: Callable[[Sample], float]) -> float:
        """Return the median over the rounds."""
        return statistics.median(map(value, self.samples))


def measure(cases: Sequence[Case], rounds: int, say: Callable[[str], None], *, memory: bool = False) -> list[Measured]:
    """Run all cases in turns, once to warm up and then ``rounds`` times.

    ``memory`` is measured in every round, instead of the time; else it is that of the run that warmed up.
    """
    measured = [Measured(case, failed=case.missing) for case in cases]
    warm: dict[int, int] = {}
    for number in range(rounds + 1):
        for place, one in enumerate(measured):
            if one.failed:
                continue
            try:
                sample = run_once(one.case, memory=memory or not number)
            except RuntimeError as error:
                one.failed = str(error)
                continue
            if number:
                one.samples.append(sample if memory else replace(sample, memory=warm[place]))
            else:
                warm[place] = sample.memory
            say(f"round {number} of {rounds}: {one.case.name}: {sample.wall:.2f} s")
    return measured


def ratios(one: Measured, other: Measured) -> list[float]:
    """Return the ratios of the wall times, each of the two runs of one round: a third case may lie in between."""
    return [a.wall / b.wall for a, b in zip(one.samples, other.samples, strict=False)]


def run_once(case: Case, *, memory: bool = True) -> Sample:
    """Run a command to its end, and measure its ``memory``, too; else that is 0.

    Raises RuntimeError if it fails, with the last line that it wrote on standard error.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begin = time.monotonic()
    process = subprocess.Popen(
        case.command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment | dict(case.environment),
        process_group=0,
    )
    peak = [0]
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, peak, ended), daemon=True)
    reaper = threading.Timer(TIMEOUT, _end, [process])
    try:
        if memory:
            watcher.start()
        reaper.start()
        said = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        _end(process)
        process.wait()
        raise
    finally:
        ended.set()
        reaper.cancel()
        if process.stderr:
            process.stderr.close()
    wall = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if memory:
        watcher.join()
    if process.returncode not in case.good:
        lines = said.decode(errors="replace").strip().splitlines()
        raise RuntimeError(f"exit status {process.returncode}: {lines[-1] if lines else 'said nothing'}")
    # Not ru_maxrss: it begins with the memory that this process had when it started the command (execve(2)).
    return Sample(wall, usage.ru_utime + usage.ru_stime, peak[0])


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process that nobody has waited for yet, and all of its group, at once if they do not listen."""
    with suppress(OSError):  # it has ended, or it is root's: sudo(8) hands the signal on
        os.killpg(process.pid, signal.SIGTERM)
    try:
        _await(process.pid)
    finally:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)


def _await(pid: int) -> None:
    """Wait for the end of a child, GRACE seconds at most. Its number stays taken: pidfd_open(2)."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            select.select([descriptor], [], [], GRACE)
        finally:
            os.close(descriptor)


def _watch(pid: int, peak: list[int], ended: threading.Event) -> None:
    while not ended.is_set():
        peak[0] = max(peak[0], sum(map(_share, _family(pid))))
        ended.wait(PAUSE)


def _family(pid: int) -> Iterator[int]:
    """Yield a process and all below it."""
    yield pid
    try:
        tasks = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it ended
        return
    for child in " ".join(tasks).split():
        yield from _family(int(child))


def _share(pid: int) -> int:
    """Return the bytes of memory that a process has, and its part of those that it shares."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # it ended, or is somebody else's
        return 0
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
