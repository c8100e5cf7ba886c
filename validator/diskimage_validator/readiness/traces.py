"""What a run writes at other places, to see whether it is served, and takes away again before it ends, however it ends.

The threads that ask are daemons: where the program is interrupted they would stop in the middle. So whoever writes
something says so, cleans up in a ``finally`` of its own, does not wait longer than ``rest`` lets it, and the program
waits for all of them at its end.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from diskimage_validator.errors import EngineError


class Traces:
    """Counts those who have something to clean up."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._busy = 0

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Be around everything from the first write to the last removal. Raises EngineError if the run is ending."""
        with self._changed:
            if self._ending.is_set():
                raise EngineError("the run was interrupted", "run it again")
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    @property
    def busy(self) -> bool:
        """Whether somebody has something to clean up."""
        return self._busy > 0

    def rest(self, seconds: float) -> bool:
        """Wait, and return whether the run goes on: if not, at once."""
        return not self._ending.wait(seconds)

    def end(self, seconds: float) -> bool:
        """Let nobody begin any more, and return whether all have cleaned up; wait for that ``seconds`` at most."""
        self._ending.set()
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy, seconds)
