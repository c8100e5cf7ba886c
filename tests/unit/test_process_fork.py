"""A copy of this process computes from what is in memory, and ends, whatever happens."""

import os
import signal
import sys
import time
from collections.abc import Callable

import pytest

from diskimage_validator.process.fork import Fork
from tests.support.waiting import no_children


def test_it_computes_from_what_is_here_and_changes_nothing_of_it() -> None:
    known = [1, 2, 3]

    def compute() -> bytes:
        known.append(4)
        return bytes(known) * 1_000_000

    with Fork(compute) as fork:
        assert fork.result(timeout=10, limit=4_000_000) == bytes([1, 2, 3, 4]) * 1_000_000
        assert fork.result(timeout=10, limit=10) == b"", "there is one result"
    assert known == [1, 2, 3]
    assert no_children()


def fail() -> bytes:
    raise ValueError("not today")


def die() -> bytes:
    os.kill(os.getpid(), signal.SIGTERM)
    return b"not any more"


@pytest.mark.parametrize("compute", [fail, die, lambda: bytes(101), lambda: sys.exit(0)])
def test_what_failed_or_is_too_large_is_nothing(
    compute: Callable[[], bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    with Fork(compute) as fork:
        assert fork.result(timeout=10, limit=100) == b""
    assert no_children()
    assert capfd.readouterr() == ("", "")


def hang() -> bytes:
    time.sleep(60)
    return b""


def test_what_hangs_is_given_up() -> None:
    started = time.monotonic()
    with Fork(hang) as fork:
        assert fork.result(timeout=0.1, limit=100) == b""
    with Fork(hang):
        pass
    assert no_children()
    assert time.monotonic() - started < 30


def test_it_steps_back() -> None:
    with Fork(lambda: str(os.nice(0)).encode(), nice=3) as fork:
        assert int(fork.result(timeout=10, limit=100)) == min(os.nice(0) + 3, 19)
