"""``python -m benchmarks.converter RAW FOLDER OPTIONS FORMAT...``: convert a copy of a disk as the gate does."""

import sys
from pathlib import Path

from airgap_image_factory.gate.convert import Output, convert


def main() -> None:
    """Give the disk a second name, for the raw output takes it away, and convert it with checksums."""
    raw, folder, options, *formats = sys.argv[1:]
    disk = Path(folder, "disk")
    disk.hardlink_to(raw)
    outputs = [Output(one, Path(folder, f"node.{one}"), options or None, checksum=True) for one in formats]
    convert(disk, outputs, progress=lambda _: None)


if __name__ == "__main__":
    main()
