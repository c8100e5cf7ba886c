"""From a finished disk to qcow2 and raw with checksums: the gate against diskimage-builder's own shell functions.

Nodepool asks for qcow2 of version 2 (``compat=0.10``), which knows zlib only; an operator whose QEMU is of this decade
asks for the other.
"""

import importlib.util
import sys
from pathlib import Path

from benchmarks.measure import Case, measure
from benchmarks.report import Comparison
from benchmarks.say import say
from benchmarks.setup import Setup

GOAL = 0.5
FORMATS = ("qcow2", "raw")
OPTIONS = "compat=0.10"
NEWER = "compat=1.1"

PLAIN = r"""
set -e
rm -rf "$3" && mkdir -p "$3" && ln "$2" "$3/disk" && cd "$3"
_LIB=$1
source "$_LIB/die"
source "$_LIB/common-functions"
source "$_LIB/img-functions"
COMPRESS_IMAGE=true DIB_CHECKSUM=1 TMP_IMAGE_PATH=$3/disk QEMU_IMG_OPTIONS=$4
for IMAGE_TYPE in "${@:5}"; do
    compress_and_save_image "node.$IMAGE_TYPE"
done
"""
"""What disk-image-create does when it has cleaned up, by its own functions: of lib, disk, folder, options, formats."""

OURS = r'rm -rf "$3" && mkdir -p "$3" && exec "$1" -m benchmarks.converter "$2" "$3" "$4" "${@:5}"'


def run(setup: Setup) -> list[Comparison]:
    """Measure both, and ours with the newer version of the format, too."""
    disk = setup.convert("disk.raw", "-O", "raw")
    names = ("the gate", "disk-image-create", f"the gate, {NEWER}")
    ours, plain, newer = measure(
        [
            _case(names[0], OURS, sys.executable, disk, setup.scratch / "ours", OPTIONS),
            _case(names[1], PLAIN, str(_lib()), disk, setup.scratch / "plain", OPTIONS),
            _case(names[2], OURS, sys.executable, disk, setup.scratch / "newer", NEWER),
        ],
        setup.rounds,
        say,
    )
    title = f"qcow2 and raw with checksums, {OPTIONS}"
    return [
        Comparison("convert", title, [ours, plain], goal=GOAL),
        Comparison("convert-newer", f"the same, {NEWER} from the gate", [newer, plain], goal=GOAL),
    ]


def _case(name: str, script: str, program: str, disk: Path, folder: Path, options: str) -> Case:
    return Case(name, ["bash", "-c", script, "bash", program, str(disk), str(folder), options, *FORMATS])


def _lib() -> Path:
    """Return the folder of diskimage-builder's shell functions."""
    spec = importlib.util.find_spec("diskimage_builder")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "lib"
