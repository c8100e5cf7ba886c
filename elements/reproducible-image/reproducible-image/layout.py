"""Give a block device configuration of diskimage-builder what would else be random: UUIDs, and a size if one is stated.

    layout.py --seed TEXT [--size-kib N] CONFIG.yaml

The file is rewritten in place. A file system keeps a UUID, and a disk a size, that the file already states. Needs
PyYAML, which diskimage-builder's own Python has.
"""

import argparse
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

NAMESPACE = uuid.UUID("5f6d1a3e-8f5b-5a43-9d5c-8f0f1c1f6c55")
FAT = ("fat", "vfat")


def nodes(config: Any, kind: str) -> Iterator[dict[str, Any]]:
    """Yield the parameters of every node of this kind, wherever it stands in the tree; an empty node gets a dict."""
    if isinstance(config, dict):
        for key, value in config.items():
            if key == kind:
                config[key] = value or {}
                yield config[key]
            yield from nodes(config[key], kind)
    elif isinstance(config, list):
        for value in config:
            yield from nodes(value, kind)


def settle(config: Any, seed: str, size_kib: int | None) -> None:
    """Write UUIDs made of ``seed`` and the place of the file system, and the size in KiB, into ``config``."""
    for number, mkfs in enumerate(nodes(config, "mkfs")):
        if mkfs.get("type") in FAT:
            # dosfstools' word for constants in place of the volume id and the date of creation.
            mkfs["opts"] = f"{mkfs.get('opts', '')} --invariant".strip()
        else:
            mkfs.setdefault("uuid", str(uuid.uuid5(NAMESPACE, f"{seed} {number}")))
    disks = list(nodes(config, "local_loop"))
    if size_kib is not None and len(disks) == 1:
        disks[0].setdefault("size", f"{size_kib}KiB")


def main() -> None:
    """Read the command line and rewrite the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", required=True)
    parser.add_argument("--size-kib", type=int)
    parser.add_argument("config", type=Path)
    arguments = parser.parse_args()
    config = yaml.safe_load(arguments.config.read_text())
    settle(config, arguments.seed, arguments.size_kib)
    arguments.config.write_text(yaml.safe_dump(config, sort_keys=False))


if __name__ == "__main__":
    main()
