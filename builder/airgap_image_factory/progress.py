"""Say what a long step is doing: a live line on a terminal, a plain line per phase in a log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status


class Progress:
    """Names the phase that runs now, with the seconds since the start. Made by ``progress``."""

    def __init__(self, console: Console, status: Status | None) -> None:
        self._console = console
        self._status = status
        self._started = time.monotonic()
        self._phase = ""

    def __call__(self, phase: str) -> None:
        """Announce ``phase``. Saying the same phase again says nothing."""
        if phase == self._phase:
            return
        self._phase = phase
        self._console.print(f"{self.elapsed:>6.0f} s  {phase}", markup=False, highlight=False)
        self.tick()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def tick(self) -> None:
        """Bring the elapsed time on the terminal up to date."""
        if self._status is not None:
            self._status.update(f"{escape(self._phase)} ({self.elapsed:.0f} s)")


@contextmanager
def progress(console: Console) -> Iterator[Progress]:
    """Give a Progress that prints on ``console`` while the block runs."""
    if not console.is_terminal:
        yield Progress(console, None)
        return
    with console.status("") as status:
        yield Progress(console, status)
