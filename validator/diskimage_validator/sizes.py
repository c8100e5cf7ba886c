"""Sizes in bytes, written the way people write them: ``10 GiB``."""

import re
from typing import Final

_UNITS: Final[dict[str, int]] = {
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate(("k", "M", "G", "T", "P"), start=1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate(("K", "M", "G", "T", "P"), start=1)},
}
_SIZE: Final = re.compile(r"(\d{1,15}(?:\.\d{1,6})?) ?([A-Za-z]{1,3})", re.ASCII)


def parse_size(text: str) -> int:
    """Return the number of bytes that ``text`` such as ``80 GB`` (decimal) or ``10 GiB`` (binary) means.

    Raises ValueError with a sentence for the user: a number without a unit is ambiguous and therefore refused.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"'{text}' is no size: write a number and a unit, e.g. '10 GiB'")
    number, unit = match.groups()
    factor = next((value for known, value in _UNITS.items() if known.lower() == unit.lower()), None)
    if factor is None:
        raise ValueError(f"unknown unit '{unit}': use one of {', '.join(_UNITS)}")
    return round(float(number) * factor)


def format_size(size: int) -> str:
    """Return ``size`` bytes in the largest binary unit that leaves a number of at least 1: ``4.0 GiB``."""
    if size < 1024:
        return f"{size} B"
    value = float(size)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} PiB"
