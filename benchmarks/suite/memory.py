"""What the direct engine takes of memory: all its processes together, QEMU's included."""

from benchmarks.measure import measure
from benchmarks.report import Comparison
from benchmarks.say import say
from benchmarks.setup import Setup

GOAL = 150.0
"""MiB."""


def run(setup: Setup) -> list[Comparison]:
    """Measure it."""
    measured = measure([setup.ours("direct")], setup.rounds, say, memory=True)
    return [Comparison("memory", "memory of the direct engine, all processes", measured, kind="memory", goal=GOAL)]
