"""What SIGINT, SIGTERM and SIGHUP do to a ``dib-block-device`` command.

DIB rolls back on ``Exception`` only. A signal is none, so an interrupted ``create`` would leave its loop device behind,
and an interrupted ``umount`` a state that the next ``umount`` cannot handle.
"""

import atexit
import ctypes
import os
import signal
import sys
from types import FrameType

from diskimage_builder.block_device.exception import BlockDeviceSetupException

from airgap_image_factory.block_device import processes

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that this process gets when its parent dies."""


def raise_on_signals() -> None:
    """From now on a signal, or the death of the build's shell, ends the running command and raises an exception.

    The exception is a BlockDeviceSetupException, so DIB rolls back. Signals that this process was started to ignore
    (nohup) stay ignored.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    # bash runs its EXIT trap, and ends, without waiting for the command that it runs when SIGTERM comes to it alone.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def hold_signals() -> None:
    """From now on signals wait until this process is about to end; then they end it, as its parent shell expects.

    Commands that are started from here on cannot be interrupted either.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    atexit.register(_release_signals)


def _release_signals() -> None:
    # A signal that waited ends the process right here, before Python would write out what is buffered.
    sys.stdout.flush()
    sys.stderr.flush()
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    # One is enough: another signal must not break off the rollback.
    hold_signals()
    # A mkfs that goes on would keep the partition busy that the rollback is about to remove.
    processes.end(processes.descendants(os.getpid()))
    raise BlockDeviceSetupException(f"interrupted by {signal.Signals(number).name}")
