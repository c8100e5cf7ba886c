"""Work of which most is waiting: several jobs at a time, and an end at once where it is interrupted.

``concurrent.futures`` waits for its threads even when the program ends: after Ctrl-C, for every silent service. These
threads are daemons (threading), and the programs that they started end with them: see ``process.MORTAL``.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

WAKE: Final = 0.25
"""Seconds after which who waits for an answer looks whether the program was interrupted. The system may give a signal
to any thread; Python handles it in the main thread, and a wait without an end is not woken for it."""
Job = TypeVar("Job")
Answer = TypeVar("Answer")


def answers(jobs: Sequence[Job], work: Callable[[Job], Answer], parallel: int) -> Iterator[tuple[Job, Answer]]:
    """Yield every job with what ``work`` returns for it, as they come. ``work`` must not raise."""
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Job, Answer]] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)

    def run() -> None:
        while True:
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            done.put((job, work(job)))

    for _ in range(min(parallel, len(jobs))):
        threading.Thread(target=run, daemon=True).start()
    left = len(jobs)
    while left:
        try:
            found = done.get(timeout=WAKE)
        except queue.Empty:
            continue
        left -= 1
        yield found
