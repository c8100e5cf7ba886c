"""The boot engine against plain QEMU, from its start to the login prompt on the serial console."""

import sys

from benchmarks.measure import Case, measure
from benchmarks.report import Comparison
from benchmarks.say import say
from benchmarks.setup import Setup

from diskimage_validator.engines.boot.machine import COUNTDOWN

GOAL = 15.0
"""Seconds on top of what the boot itself takes."""


def run(setup: Setup) -> list[Comparison]:
    """Measure both."""
    accelerator = "tcg" if setup.tcg else "kvm"
    command = [sys.executable, "-m", "benchmarks.plain_boot", str(setup.image), accelerator, COUNTDOWN]
    plain = Case("plain QEMU to the login prompt", command)
    measured = measure([setup.ours("boot"), plain], setup.rounds, say)
    return [Comparison("boot", "boot engine on top of plain QEMU", measured, kind="difference", goal=GOAL)]
