"""What is written at other places is taken away before a run ends."""

import threading
import time

import pytest

from diskimage_validator.errors import EngineError
from diskimage_validator.readiness.traces import Traces


def test_the_end_waits_for_who_cleans_up_and_lets_nobody_begin() -> None:
    traces, began, cleaned = Traces(), threading.Event(), threading.Event()

    def write() -> None:
        with traces.leaving():
            began.set()
            assert not traces.rest(60)
            cleaned.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert began.wait(10)
    assert traces.busy
    assert traces.end(10)
    assert cleaned.is_set()
    assert not traces.busy
    with pytest.raises(EngineError, match="interrupted"), traces.leaving():
        raise AssertionError("it began nevertheless")
    writer.join(10)


def test_the_end_does_not_wait_for_ever() -> None:
    traces = Traces()
    with traces.leaving():
        before = time.monotonic()
        assert not traces.end(0.05)
        assert time.monotonic() - before < 5
    assert traces.end(0)


def test_who_fails_has_ended_as_well() -> None:
    traces = Traces()
    with pytest.raises(ValueError, match="crash"), traces.leaving():
        raise ValueError("crash")
    assert traces.rest(0)
    assert traces.end(0)
