"""Some of the facts, read by a second process while we read the others.

While we list all files, which is most of the work, it reads what needs no list. It is a copy of ours, and has means of
its own to read the target (``Engine.enter_fork``). Whatever happens to it, and whatever it met besides facts (a note, a
right that is missing, an engine that declines), its facts are read again here, and then it shows as ever.
"""

import pickle
from collections.abc import Collection
from contextlib import AbstractContextManager, suppress
from typing import Any, Final, Self

from diskimage_validator.facts.scene import Scene
from diskimage_validator.process.fork import Fork

NICE: Final = 7
"""How much it steps back, by nice(2), for qemu-nbd, which the list is waiting for."""
MOST: Final = 60.0
"""Seconds that it may still take when we are done with our part."""
LARGEST: Final = 256 * 1024 * 1024
"""Bytes that it may send."""


class Beside(AbstractContextManager["Beside"]):
    """The facts ``names`` of ``scene``, being read, if the engine can be shared. Use it as a context manager."""

    def __init__(self, scene: Scene, names: Collection[str]) -> None:
        self._fork: Fork | None = None
        if names and scene.engine.reserve_fork():
            with suppress(OSError):  # no process can be had: then there is none
                self._fork = Fork(lambda: _read(scene, names), nice=NICE)

    def result(self) -> dict[str, Any]:
        """Return the facts by their names, once; none if they could not all be read there."""
        received = self._fork.result(timeout=MOST, limit=LARGEST) if self._fork else b""
        if not received:
            return {}
        # It is our own process that made it, from this code, and it came whole.
        facts: dict[str, Any] = pickle.loads(received)  # noqa: S301
        return facts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fork:
            self._fork.close()


def _read(scene: Scene, names: Collection[str]) -> bytes:
    """Return the facts as they are sent, nothing if there is more to be told than they are. For the second process."""
    scene.engine.enter_fork()
    facts = scene.read_apart(names)
    return b"" if facts is None else pickle.dumps(facts, pickle.HIGHEST_PROTOCOL)
