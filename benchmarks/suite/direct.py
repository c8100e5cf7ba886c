"""The direct engine against virt-inspector, on the same file. The peer tells a list of packages, ours a verdict."""

from benchmarks.measure import measure
from benchmarks.report import Comparison
from benchmarks.say import say
from benchmarks.setup import Setup

GOAL = 1 / 40


def run(setup: Setup) -> list[Comparison]:
    """Measure both."""
    measured = measure([setup.ours("direct"), setup.virt_inspector()], setup.rounds, say)
    return [Comparison("direct", "direct engine, full policy, against virt-inspector", measured, goal=GOAL)]
