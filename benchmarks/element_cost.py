"""What our elements add to a diskimage-builder build: wall time and image size, as ratios in one run.

Three builds take turns, so that a noisy machine is noisy for all of them:

plain
    ``debian-minimal vm block-device-loop-mbr``
packages
    the same, and the packages that our elements install, through disk-image-create's own ``-p``
elements
    ``plain`` and ``airgap-node``

``elements / packages`` is our doing; ``packages / plain`` is what the packages cost whoever installs them. Usage::

    python -m benchmarks.element_cost [--runs 3] [--release bookworm]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.elements.packages import packages

from airgap_image_factory.mirror import choose_mirror
from airgap_image_factory.pki import throw_away_authority
from diskimage_validator.elements import elements_path

BASE = ["debian-minimal", "vm", "block-device-loop-mbr"]
OURS = ("container-tooling", "qemu-img", "zuul-node")
NOT_ALONE = {"systemd-resolved"}
"""Without zuul-node's preparation it takes the build's resolv.conf away, and the boot loader cannot be downloaded."""


@dataclass
class Variant:
    """One way to build: options of disk-image-create, and what it took (seconds, bytes)."""

    name: str
    options: list[str]
    seconds: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


def build(variant: Variant, environment: dict[str, str], folder: Path) -> None:
    """Build once and note the figures."""
    image = folder / f"{variant.name}.qcow2"
    image.unlink(missing_ok=True)
    command = ["disk-image-create", "-t", "qcow2", "--qemu-img-options", "compression_type=zstd"]
    command += ["-o", str(image.with_suffix("")), *variant.options]
    begin = time.monotonic()
    with (folder / f"{variant.name}.log").open("w") as log:
        subprocess.run(command, env=environment, check=True, stdout=log, stderr=subprocess.STDOUT)
    variant.seconds.append(time.monotonic() - begin)
    variant.sizes.append(image.stat().st_size)


def main() -> None:
    """Build, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--release", default="bookworm")
    options = parser.parse_args()
    mirror = choose_mirror(None, None)
    wanted = sorted(set().union(*(packages(element, "debian", options.release) for element in OURS)) - NOT_ALONE)
    variants = [
        Variant("plain", BASE),
        Variant("packages", ["-p", ",".join(wanted), *BASE]),
        Variant("elements", [*BASE, "airgap-node"]),
    ]
    with tempfile.TemporaryDirectory(prefix="element-cost-") as scratch:
        folder = Path(scratch)
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin",
            "TMP_DIR": scratch,
            "ELEMENTS_PATH": str(elements_path()),
            "DIB_RELEASE": options.release,
            "DIB_DISTRIBUTION_MIRROR": mirror.archive,
            "DIB_DEBIAN_SECURITY_MIRROR": mirror.security,
            "DIB_TRUSTED_CA_BUNDLE": str(throw_away_authority(folder / "pki").certificate),
        }
        for number in range(options.runs):
            for variant in variants:
                build(variant, environment, folder)
                print(f"run {number + 1}: {variant.name:9} {variant.seconds[-1]:6.1f} s", file=sys.stderr)
    plain, by_packages, _ = variants
    print(f"{'build':10}{'seconds':>9}{'MiB':>8}{'time / plain':>14}{'time / packages':>17}{'size / packages':>17}")
    for variant in variants:
        seconds, size = statistics.median(variant.seconds), statistics.median(variant.sizes)
        print(
            f"{variant.name:10}{seconds:9.1f}{size / 2**20:8.1f}{_ratio(variant.seconds, plain.seconds):14.2f}"
            f"{_ratio(variant.seconds, by_packages.seconds):17.2f}{size / statistics.median(by_packages.sizes):17.2f}"
        )


def _ratio(ours: list[float], theirs: list[float]) -> float:
    """Return the median of the ratios pair by pair."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


if __name__ == "__main__":
    main()
