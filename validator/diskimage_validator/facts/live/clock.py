"""The clock of a running system: how far it is off from this host's, and whether something keeps it right."""

import re
import time
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.live.asking import ask
from diskimage_validator.frozen import dataclass

SYNCHRONIZED: Final = {
    # timedatectl(1): the kernel's own word, adjtimex(2), whoever set it
    ("timedatectl", "show", "--property=NTPSynchronized", "--value"): {"yes": True, "no": False},
    # chronyc(1), tracking
    ("chronyc", "-n", "tracking"): {"Leap status : Normal": True, "Leap status : Not synchronised": False},
}
_NOW: Final = re.compile(r"([0-9]{1,12}\.[0-9]{1,9})\n")


@dataclass(frozen=True)
class Clock:
    """``offset``: seconds that the node is ahead of this host; ``error``: how wrong that may be, from the time it took.

    ``synchronized``: whether the clock is kept in step, None if nothing on the node tells.
    """

    offset: float
    error: float
    synchronized: bool | None


def read_clock(engine: Engine) -> Clock | None:
    """Return what the node's clock says now. GNU date(1) is needed."""
    if not engine.live:
        return None
    ask(engine, ["true"])  # whatever has to be started is, before time counts
    before = time.time()
    text = ask(engine, ["date", "+%s.%N"])
    after = time.time()
    found = _NOW.fullmatch(text)
    if found is None:
        raise FactError("date on the node does not tell fractions of a second")
    error = (after - before) / 2
    return Clock(round(float(found[1]) - before - error, 3), round(error, 3), _synchronized(engine))


def _synchronized(engine: Engine) -> bool | None:
    for command, meanings in SYNCHRONIZED.items():
        done = engine.run(command, timeout=30)
        if done.status == 0:
            lines = {" ".join(line.split()) for line in done.stdout.splitlines()}
            return next((meaning for text, meaning in meanings.items() if text in lines), None)
    return None
