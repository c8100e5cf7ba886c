"""Twenty images on all processors against one after the other; both in one call of the command."""

from benchmarks.measure import measure
from benchmarks.report import Comparison
from benchmarks.say import say
from benchmarks.setup import Setup

IMAGES = 20
GOAL = 1.7


def run(setup: Setup) -> list[Comparison]:
    """Measure both. The images are links to one: its blocks are in memory, so that processors count and no disk."""
    targets = [setup.scratch / f"node{number}.qcow2" for number in range(IMAGES)]
    for target in targets:
        if not target.is_symlink():
            target.symlink_to(setup.image)
    names = [str(target) for target in targets]
    cases = [
        setup.ours("direct", *names, name=f"{IMAGES} images at a time"),
        setup.ours("direct", *names, options=("--jobs", "1"), name=f"{IMAGES} images one after the other"),
    ]
    measured = measure(cases, setup.rounds, say)
    return [Comparison("fleet", "a fleet on all processors", measured, kind="speedup", goal=GOAL)]
