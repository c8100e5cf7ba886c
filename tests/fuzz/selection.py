"""Which of the inputs that a search has found are worth keeping: few and small, those that reach the most."""

import hashlib
from pathlib import Path
from typing import Final

MAX_FILES: Final = 24
MAX_BYTES: Final = 16 * 1024
"""Of all inputs of one target, the seeds that people wrote apart."""
SEED: Final = "seed*"


def select(report: str, folder: Path) -> None:
    """Put the best inputs that ``report`` names into ``folder``, in place of those it has; seeds stay.

    ``report`` is libFuzzer's control file of a merge: how many files, where its own begin, their names; then, for
    each, "STARTED number size", "FT number features..." and "COV number edges...", both without what earlier files
    reached.
    """
    lines = report.split("\n")
    files = [Path(line) for line in lines[2 : 2 + int(lines[0])]]
    reached = {number: [0, 0] for number in range(len(files))}
    for line in lines[2 + len(files) :]:
        kind, *numbers = line.split()[:2] or [""]
        if kind in ("COV", "FT"):
            reached[int(numbers[0])][kind == "FT"] = len(line.split()) - 2
    ranked = sorted((number for number in reached if any(reached[number])), key=reached.__getitem__, reverse=True)
    seeds = {path.read_bytes() for path in folder.glob(SEED)} if folder.is_dir() else set()
    best: list[bytes] = []
    for number in ranked:
        data = files[number].read_bytes()
        if data not in seeds and len(best) < MAX_FILES and sum(map(len, best)) + len(data) <= MAX_BYTES:
            best.append(data)
    folder.mkdir(exist_ok=True)
    for path in set(folder.iterdir()) - set(folder.glob(SEED)):
        path.unlink()
    for data in best:
        (folder / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
