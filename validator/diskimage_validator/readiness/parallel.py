"""Work of which most is waiting: several jobs at a time, and an end at once where it is interrupted.

``concurrent.futures`` waits for its threads even when the program ends: after Ctrl-C, for every silent service. These
threads are daemons (threading), and the programs that they started end with them: see ``process.MORTAL``.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

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
    for _ in jobs:
        yield done.get()
