"""Two processes: one that is waited for, and one that works, in a session of its own.

Nodepool ends a build that takes too long with a SIGKILL to its child, which nobody can catch. So the child (the front)
only waits and forwards signals; the worker is told by the kernel when the front has died (PR_SET_PDEATHSIG, prctl(2))
and then stops as it does on SIGTERM. All that it started, whatever session it is in, becomes its child when its parent
dies (PR_SET_CHILD_SUBREAPER), so nothing is lost from sight. Should the worker be killed, which the kernel does when
memory runs out, the front inherits all of that and cleans up in its place.
"""

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36

_interrupted = False


class Interrupted(BaseException):
    """The build is to end: a signal came, the front has died, or nobody reads the log any more."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.name = signal.Signals(number).name
        self.exit_status = 128 + number


class Ledger:
    """What has to be removed if the worker cannot do it itself, in memory that both processes see."""

    def __init__(self) -> None:
        self._file = os.memfd_create("ledger", os.MFD_CLOEXEC)

    def enter(self, folder: Path) -> None:
        """Write ``folder`` down, before anything is mounted in it."""
        self._write("folder", str(folder))

    def enter_name(self, made: Path, final: Path) -> None:
        """Write down, before that, that the file ``made`` is going to be renamed to ``final``."""
        self._write("name", str(final), *_identity(made))

    def folders(self) -> list[Path]:
        """Return the folders that were written down."""
        return [Path(words[0]) for kind, *words in self._entries() if kind == "folder"]

    def names(self) -> list[Path]:
        """Return the names that their files have got by now. Another file of that name, an older image, is none."""
        found: list[Path] = []
        for kind, *words in self._entries():
            with suppress(FileNotFoundError):
                if kind == "name" and _identity(Path(words[0])) == words[1:]:
                    found.append(Path(words[0]))
        return found

    def _write(self, *words: str) -> None:
        os.write(self._file, b"".join(os.fsencode(word) + b"\0" for word in words) + b"\n\0")

    def _entries(self) -> list[list[str]]:
        data = os.pread(self._file, os.fstat(self._file).st_size, 0)
        return [[os.fsdecode(word) for word in entry.split(b"\0")] for entry in data.split(b"\0\n\0")[:-1]]


def _identity(path: Path) -> list[str]:
    status = path.lstat()
    return [str(status.st_dev), str(status.st_ino)]


def work_behind_a_front(
    work: Callable[[Ledger], int], clean_up: Callable[[Ledger, str | None], None], *, ends_with_parent: bool
) -> int:
    """Run ``work`` in a process of its own, and return the exit status that it returns.

    In there SIGTERM, SIGINT and SIGHUP raise Interrupted, once; those that were ignored before stay so (nohup). When
    the worker has ended ``clean_up`` is called in this process, if anything is left or the worker was killed: with the
    name of the signal, and then 4 is returned. ``ends_with_parent``: the death of our own parent counts as a SIGTERM.
    """
    wanted = {number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN}
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, {*wanted, signal.SIGCHLD})
    set_attribute(PR_SET_CHILD_SUBREAPER, 1)
    if ends_with_parent:
        set_attribute(PR_SET_PDEATHSIG, signal.SIGTERM)
    ledger = Ledger()
    front = os.getpid()
    worker = os.fork()
    if worker == 0:
        _work(work, ledger, front, wanted)
    while True:
        number = signal.sigwait({*wanted, signal.SIGCHLD})
        if number != signal.SIGCHLD:
            os.kill(worker, number)
            continue
        ended = reap()
        if worker in ended:
            break
    status = os.waitstatus_to_exitcode(ended[worker])
    if status < 0:
        clean_up(ledger, signal.Signals(-status).name)
        return 4
    if _has_children():
        clean_up(ledger, None)
    return status


def set_attribute(option: int, value: int) -> None:
    """Set one attribute of this process, as prctl(2) says. Raises OSError."""
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _work(work: Callable[[Ledger], int], ledger: Ledger, front: int, wanted: set[signal.Signals]) -> None:
    """Be the worker: never returns."""
    os.setsid()
    for number in wanted:
        signal.signal(number, _interrupt)
    set_attribute(PR_SET_CHILD_SUBREAPER, 1)
    set_attribute(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != front:  # it died before it could be told
        os.kill(os.getpid(), signal.SIGTERM)
    status = 4
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*wanted, signal.SIGCHLD})
        status = work(ledger)
    except Interrupted as error:  # before there was anything to end
        status = error.exit_status
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def hold_out() -> None:
    """From now on no signal ends the build any more: it is as good as done."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def is_interrupted() -> bool:
    """Whether a signal has come that ends the build: from then on nothing is waited for long."""
    return _interrupted


def interruption(number: int) -> Interrupted:
    """Return the exception for the signal ``number``, the one that is to be raised."""
    global _interrupted  # noqa: PLW0603 - a signal is the whole process'
    _interrupted = True
    # One is enough: another signal must not break off the cleaning.
    hold_out()
    return Interrupted(number)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise interruption(number)


def reap() -> dict[int, int]:
    """Return the wait status of every child that has ended."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = status


def _has_children() -> bool:
    reap()
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True
