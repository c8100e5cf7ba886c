"""Many targets under one policy, several at a time."""

import json
import os
import pickle
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from queue import SimpleQueue
from typing import Any, Final

from diskimage_validator import errors
from diskimage_validator.engines.boot.options import BootOptions
from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.errors import EngineError, ValidatorError
from diskimage_validator.facts import Facts, replay
from diskimage_validator.model import Report
from diskimage_validator.policy_model import Policy
from diskimage_validator.process.worker import Worker
from diskimage_validator.runner import run_checks

MODULE: Final = "diskimage_validator.worker"
_KINDS: Final = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, ValidatorError)
}
MAX_ANSWER: Final = 1 << 30
"""Bytes of one line that a worker writes. The facts of a usual image are 2 MiB."""


def default_jobs() -> int:
    """Return how many targets are read at a time: one per processor that this process may use."""
    return len(os.sched_getaffinity(0))


def validate_many(
    targets: Sequence[str],
    policy: Policy,
    *,
    jobs: int | None = None,
    engine: str = "auto",
    image_format: str | None = None,
    ssh: SshOptions | None = None,
    boot: BootOptions | None = None,
    also: Collection[str] = (),
    share_appliance: bool = False,
    done: Callable[[str, Facts, Report], None] | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Report | ValidatorError]:
    """Return the report on every target, or the error that kept it from being read, in the order of ``targets``.

    ``jobs`` is how many are read at a time (default: one per processor). ``done`` is called with each target that was
    read, its facts and its report, in one of that many threads; facts are not kept beyond that, and a ValidatorError
    that it raises stands in for the report. With ``share_appliance`` targets are read one after the other, and those
    that guestfs reads in one appliance: ``engines.sharing`` says what that means. The other parameters are those of
    ``examine``. One target that cannot be read does not keep the others from being judged, even if it takes the process
    that reads it along.
    """
    options = {
        "policy": policy,
        "engine": engine,
        "image_format": image_format,
        "ssh": ssh,
        "boot": boot,
        "only": tuple(also),
    }
    together = tuple(targets) if share_appliance else ()
    number = 1 if share_appliance else max(1, min(jobs or default_jobs(), len(targets)))
    readers = [_Reader(options, together) for _ in range(number)]
    free: SimpleQueue[_Reader] = SimpleQueue()
    for reader in readers:
        free.put(reader)

    def one(target: str) -> Report | ValidatorError:
        say = None if progress is None else partial(_say, progress, target)
        reader = free.get()
        now, started = datetime.now(UTC), time.monotonic()
        try:
            facts = reader.read(target, say)
            report = run_checks(policy, facts, now=now, started=started)
            if done is not None:
                done(target, facts, report)
            return report
        except ValidatorError as error:
            return error
        finally:
            free.put(reader)

    executor = ThreadPoolExecutor(max_workers=len(readers))
    try:
        pending: list[Future[Report | ValidatorError]] = [executor.submit(one, target) for target in targets]
        return [future.result() for future in pending]
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for reader in readers:
            reader.stop()
        executor.shutdown()


def _say(progress: Callable[[str], None], target: str, step: str) -> None:
    progress(f"{target}: {step}")


class _Reader:
    """Reads targets in a process of its own: reading is computing, and threads would take turns at it.

    The process is started when it is needed, and again if it died.
    """

    def __init__(self, options: dict[str, Any], together: Sequence[str] = ()) -> None:
        self._options = pickle.dumps((options, together))
        self._worker: Worker | None = None
        self._stopped = False
        self._lock = threading.Lock()
        """Between the thread that reads and the one that stops."""

    def read(self, target: str, progress: Callable[[str], None] | None) -> Facts:
        """Return the facts of ``target``. Raises what ``inspect`` raises, and EngineError if the process dies."""
        worker = self._start(target)
        worker.write(json.dumps(target).encode() + b"\n")
        while line := worker.readline(MAX_ANSWER):
            kind, _, answer = line.partition(b" ")
            if kind == b"facts":
                return replay(answer)
            if kind == b"error":
                raise _error(answer)
            if progress:
                progress(" ".join(_words(answer)))
        self._worker = None
        hint = "if it was killed for want of memory, lower --jobs"
        raise EngineError(f"{target}: the process that read it ended: {worker.ending()}", hint)

    def _start(self, target: str) -> Worker:
        with self._lock:
            if self._stopped:
                raise EngineError(f"{target}: not read: interrupted")
            if self._worker is None:
                self._worker = Worker(MODULE)
                self._worker.write(self._options)
            return self._worker

    def stop(self) -> None:
        """End the process, for good."""
        with self._lock:
            self._stopped = True
        if self._worker is not None:
            self._worker.stop()


def _error(answer: bytes) -> ValidatorError:
    words = _words(answer)
    if len(words) != 3:
        return EngineError("the process that read the target said something that is no answer")
    kind, message, hint = words
    return _KINDS.get(kind, EngineError)(message, hint)


def _words(answer: bytes) -> list[str]:
    """Return the words in ``answer``, none if there is something else: what reads hostile input may say anything."""
    try:
        return [str(word) for word in json.loads(answer)]
    except (ValueError, TypeError, RecursionError):
        return []
