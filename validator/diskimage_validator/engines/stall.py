"""Whether a virtual machine that starts still gets anywhere, told by what its process does and not by the clock.

How long a start takes depends on the host: ten seconds, or a minute where others want the processors too. A machine
that hangs shows it otherwise. It waits for an interrupt that never comes, so it computes nothing, wants no processor
and waits for no disk; or it turns in circles, and computes far more than any start does.

Who starts a machine with libguestfs sits in C meanwhile, where Python runs no handler of a signal: SIGINT and SIGTERM
would be heard minutes later. Their numbers can be had at once (signal.set_wakeup_fd), so they end the machine, too.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

TICK: Final = 1.0
"""Seconds between two looks."""
IDLE: Final = 20
"""Looks in a row without progress that make a hang. A healthy start is never idle for more than one or two."""
IDLE_SHARE: Final = 0.05
"""Of a look's time: what a kernel that idles needs for its timer is a hundredth."""
AGAIN: Final = 0.1
"""Seconds between two looks for what is to be killed: it may only be about to start."""
TASKS: Final = Path("/proc/self/task")
ENDING: Final = frozenset((signal.SIGINT, signal.SIGTERM))


class Hang:
    """What was seen of a machine: ``reason`` says why it was killed, empty if it was not.

    ``interrupted``: it was, because of a signal.
    """

    def __init__(self) -> None:
        self.reason = ""
        self.interrupted = False


@contextmanager
def killed_if_it_hangs(name: str, *, timeout: float, computing: float, idle: int = IDLE) -> Iterator[Hang]:
    """Kill the children of this process that begin inside the block and have ``name`` in theirs, if one hangs.

    That is: for ``idle`` looks in a row it did nothing, or it computed for more than ``computing`` seconds, or the
    block takes longer than ``timeout`` seconds; or that a signal of ENDING comes, if this is the main thread, and a
    handler in Python waits for that signal. A machine that hangs blocks inside libguestfs, where no exception of Python
    reaches; the death of its process does.
    """
    before = _children(name)
    hang, over = Hang(), threading.Event()
    with _signals() as (ear, bell):
        arguments = (name, before, hang, over, ear, timeout, computing, idle)
        thread = threading.Thread(target=_watch, args=arguments, name="watch over a start", daemon=True)
        thread.start()
        try:
            yield hang
        finally:
            over.set()
            with suppress(BlockingIOError):  # so full that the thread wakes up anyway
                bell.send(b"\0")
            thread.join()


@contextmanager
def _signals() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield both ends of a channel that carries the numbers of signals to the first, a byte each, as they come.

    Only the main thread can have that, and an event loop that has it already keeps it: then nothing comes by itself.
    """
    ear, bell = socket.socketpair()
    with ear, bell:
        bell.setblocking(False)
        if threading.current_thread() is not threading.main_thread():
            yield ear, bell
            return
        earlier = signal.set_wakeup_fd(bell.fileno(), warn_on_full_buffer=False)
        try:
            if earlier >= 0:
                signal.set_wakeup_fd(earlier)
            yield ear, bell
        finally:
            signal.set_wakeup_fd(earlier)


def _ends(ear: socket.socket, seconds: float, over: threading.Event) -> bool:
    """Wait for ``seconds``, or until the block is ``over``. Return whether a signal of ENDING came, which ends it."""
    deadline = time.monotonic() + seconds
    while not over.is_set() and (left := deadline - time.monotonic()) > 0:
        ear.settimeout(left)
        with suppress(TimeoutError):
            if not ENDING.isdisjoint(ear.recv(64)):
                return True
    return False


def _watch(
    name: str,
    before: set[int],
    hang: Hang,
    over: threading.Event,
    ear: socket.socket,
    timeout: float,
    computing: float,
    idle: int,
) -> None:
    seen: dict[int, tuple[float, float]] = {}
    quiet: dict[int, int] = {}
    looks = 0
    while not hang.reason:
        if _ends(ear, TICK, over):
            hang.interrupted, hang.reason = True, "it was interrupted"
            break
        if over.is_set():
            return
        looks += 1
        pids = _children(name) - before
        for pid in pids:
            found = _work(pid)
            if found is None:
                continue
            moved = sum(found) - sum(seen.get(pid, (0.0, 0.0)))
            # Less than before: a thread has ended, and took its figures along.
            rests = pid in seen and 0 <= moved < IDLE_SHARE * TICK and not _waits_for_disk(pid)
            quiet[pid] = quiet.get(pid, 0) + 1 if rests else 0
            seen[pid] = found
            if quiet[pid] >= idle:
                hang.reason = f"it hangs: it did nothing for {quiet[pid] * TICK:.0f} s"
            elif found[0] > computing:
                hang.reason = f"it hangs: it computed for {found[0]:.0f} s and has not started"
        if looks * TICK > timeout:
            hang.reason = f"it has not started after {timeout:.0f} s"
    while not over.is_set():
        _kill(_children(name) - before)
        _ends(ear, AGAIN, over)


def _children(name: str) -> set[int]:
    """Return the process ids of this process' direct children with ``name`` in the name of their program (proc(5))."""
    found = set()
    for task in TASKS.iterdir():
        with suppress(OSError):
            for pid in (task / "children").read_text().split():
                if name in Path(f"/proc/{pid}/comm").read_text():
                    found.add(int(pid))
    return found


def _work(pid: int) -> tuple[float, float] | None:
    """Return the seconds that the threads of a process ran, and that they waited for a processor.

    None where the kernel does not tell: Documentation/scheduler/sched-stats.rst, ``/proc/<pid>/schedstat``.
    """
    try:
        lines = [(task / "schedstat").read_text().split() for task in Path(f"/proc/{pid}/task").iterdir()]
        return sum(int(line[0]) for line in lines) / 1e9, sum(int(line[1]) for line in lines) / 1e9
    except (OSError, ValueError, IndexError):
        return None


def _waits_for_disk(pid: int) -> bool:
    """Whether a thread sleeps where nothing may wake it but its disk (state D in proc(5))."""
    with suppress(OSError):
        stats = [(task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
        return any(stat.rpartition(") ")[2].startswith("D") for stat in stats)
    return False


def _kill(pids: set[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
