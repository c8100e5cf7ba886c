"""Waiting for what happens beside a test."""

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
