"""Lengths of time, written the way people write them: ``7 d``."""

import datetime
import re
from typing import Final

_UNITS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
"""Seconds. Source of the names: systemd.time(7)."""
_DURATION: Final = re.compile(r"(\d{1,6}) ?([a-z]{1,3})", re.ASCII)


def parse_duration(text: str) -> datetime.timedelta:
    """Return the time that ``text`` such as ``12 h`` or ``7d`` means. Raises ValueError with a sentence."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"'{text}' is no length of time: write a number and one of {', '.join(_UNITS)}, e.g. '7 d'")
    return datetime.timedelta(seconds=int(match[1]) * _UNITS[match[2]])
