"""The end of a process that runs beside us: soon, and certain."""

import contextlib
import os
import select
import subprocess
from typing import Final

STOP_TIMEOUT: Final = 5.0
"""Seconds that a process has for an end of its own."""


def end(process: "subprocess.Popen[bytes]") -> None:
    """End ``process``, at once if it does not listen."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        _wait(process, STOP_TIMEOUT)
    except BaseException as error:  # a second Ctrl-C must not leave it behind either
        process.kill()
        process.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise


def _wait(process: "subprocess.Popen[bytes]", timeout: float) -> None:
    """Do what ``Popen.wait`` does, which sleeps up to 50 ms between two looks, by pidfd_open(2)."""
    if process.poll() is None:
        descriptor = os.pidfd_open(process.pid)
        try:
            watched = select.poll()
            watched.register(descriptor, select.POLLIN)
            watched.poll(timeout * 1000)
        finally:
            os.close(descriptor)
    process.wait(0)
