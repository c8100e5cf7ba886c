"""``./run bench [NAME...] [--image FILE] [--rounds N]``: measure, and write a table and a plot.

Every figure is a median, every ratio a median of pairs of one round each; nothing but ratios should be compared between
machines. What cannot be measured here is named with the reason. Whatever ends this run leaves no process and no file.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.report import Comparison, write_csv, write_svg, write_text
from benchmarks.setup import Setup

from diskimage_validator.engines import kvm

SUITE = ("direct", "memory", "fleet", "trivy", "size", "convert", "guestfs", "boot", "testinfra", "gate")
"""In the order in which they run: what takes long is last."""
MIN_ROUNDS = 5


def main() -> None:
    """Measure what was asked for."""
    # What ends us by default would leave the folder behind, and what is measured running.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", choices=[*SUITE, []], help=f"{', '.join(SUITE)}; all")
    parser.add_argument(
        "--image", type=Path, help="a qcow2 that ./run image made; default: the newest in build/ or here"
    )
    parser.add_argument("--rounds", type=int, default=MIN_ROUNDS, help=f"default: {MIN_ROUNDS}")
    parser.add_argument("--node", default="", metavar="ssh://USER@HOST", help="a running node, for testinfra")
    parser.add_argument("--ssh-config", default="", metavar="FILE", help="how to log in to the node: ssh_config(5)")
    parser.add_argument("--tcg", action="store_true", help="no KVM, also where it seems to be there")
    parser.add_argument("--output", type=Path, default=Path("benchmarks.d"), help="folder; default: benchmarks.d")
    options = parser.parse_args()
    here = sorted([*Path().glob("*.qcow2"), *Path("build").glob("*.qcow2")], key=lambda path: path.stat().st_mtime)
    image: Path | None = options.image or (here[-1] if here else None)
    if image is None or not image.is_file():
        parser.error(f"{image or 'an image'} is not here: ./run image makes one, --image names it")
    if options.rounds < 1:
        parser.error("--rounds is at least 1")
    if options.rounds < MIN_ROUNDS:
        sys.stderr.write(f"warning: fewer than {MIN_ROUNDS} rounds are no measurement\n")
    tcg = options.tcg or kvm.remembered() is not None or not os.access("/dev/kvm", os.R_OK | os.W_OK)
    found: list[Comparison] = []
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir="/var/tmp") as scratch:
        setup = Setup(image.resolve(), options.rounds, Path(scratch), options.node, options.ssh_config, tcg)
        for name in options.names or SUITE:
            run: Callable[[Setup], list[Comparison]] = import_module(f"benchmarks.suite.{name}").run
            found += run(setup)
    write_text(found, sys.stdout)
    options.output.mkdir(exist_ok=True)
    with (options.output / "benchmarks.csv").open("w", encoding="utf-8") as stream:
        write_csv(found, stream)
    with (options.output / "benchmarks.svg").open("w", encoding="utf-8") as stream:
        write_svg(found, stream)
    sys.stdout.write(f"written: {options.output}/benchmarks.csv and benchmarks.svg\n")


if __name__ == "__main__":
    main()
