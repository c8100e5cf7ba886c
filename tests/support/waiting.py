"""Waiting for what happens beside a test."""

import os
import time
from collections.abc import Callable

TIMEOUT = 30.0


def wait_for(condition: Callable[[], object], timeout: float = TIMEOUT) -> bool:
    """Whether ``condition`` comes true within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def no_children() -> bool:
    """Whether this process has no child, not even one that ended and was not waited for."""
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False
