"""Twenty images on all processors, against one after the other: in one call of the command, and by a call for each.

One image alone keeps more than one processor busy already (digest, QEMU and Python), so the first is the harder one.
"""

import shlex

from benchmarks.measure import Case, measure
from benchmarks.report import Comparison
from benchmarks.say import say
from benchmarks.setup import Setup

IMAGES = 20
GOAL = 1.7


def run(setup: Setup) -> list[Comparison]:
    """Measure all. The images are links to one: its blocks are in memory, so that processors count and no disk."""
    targets = [setup.scratch / f"node{number}.qcow2" for number in range(IMAGES)]
    for target in targets:
        if not target.is_symlink():
            target.symlink_to(setup.image)
    names = [str(target) for target in targets]
    fleet = setup.ours("direct", *names, name=f"{IMAGES} images at a time")
    serial = setup.ours("direct", *names, options=("--jobs", "1"), name=f"{IMAGES} images one after the other")
    calls = [shlex.join(setup.ours("direct", name).command) for name in names]
    apart = Case(f"{IMAGES} calls one after the other", ["sh", "-c", "; ".join(calls)], good=serial.good)
    together, one_by_one, call_by_call = measure([fleet, serial, apart], setup.rounds, say)
    return [
        Comparison("fleet", "a fleet against one image after the other", [together, one_by_one], "speedup", GOAL),
        Comparison("fleet-calls", "a fleet against a call for each image", [together, call_by_call], "speedup", GOAL),
    ]
