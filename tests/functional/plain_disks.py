"""Disks that need no appliance to be made: MBR, GPT or no table, and ext, vfat and swap, by their own tools.

Files belong to whoever runs the tests, which is root.
"""

from pathlib import Path, PurePosixPath
from typing import Final

from tests.functional.layouts import MIB, Layout, Part, Tree
from tests.support import disks
from tests.support.memory_engine import Entry, File, Folder
from tests.support.rpm_images import lay_out

LABELS: Final = {"mbr": "dos", "gpt": "gpt"}
SWAP: Final = {"mbr": "82", "gpt": "swap"}


def plain_disk(path: Path, layout: Layout, tree: Tree) -> Path:
    """Lay ``tree`` out on a new disk at ``path``."""
    if layout.table == "none":
        disks.empty(path, layout.size * MIB)
    else:
        disks.partitioned(path, _script(layout), layout.size * MIB)
    offset = 0 if layout.table == "none" else MIB
    for part in layout.parts:
        file = path.with_suffix(".part")
        if part.type == "swap":
            disks.run("mkswap", disks.empty(file, part.size * MIB))
        elif part.type == "vfat":
            files = {
                name.lstrip("/"): entry.content for name, entry in _on(part, layout, tree) if isinstance(entry, File)
            }
            disks.fat(file, part.size * MIB, files, "-n", part.name)
        elif part.type:
            folder = path.with_suffix(f".{offset}")
            folder.mkdir()
            lay_out(dict(_on(part, layout, tree)), folder)
            label = ["-L", part.name] if part.name else []
            disks.ext(path, folder, part.size * MIB, *label, kind=part.type, offset=offset)
        if file.exists():
            disks.place(path, offset, file)
            file.unlink()
        offset += part.size * MIB
    return path


def _script(layout: Layout) -> str:
    """Return what sfdisk(8) is to make."""
    lines = [f"label: {LABELS[layout.table]}"]
    for part in layout.parts:
        kind = part.gpt_type or (SWAP[layout.table] if part.type == "swap" else "")
        lines.append(f"size={part.size}MiB" + (f", type={kind}" if kind else ""))
    return "\n".join(lines) + "\n"


def _on(part: Part, layout: Layout, tree: Tree) -> list[tuple[str, Entry]]:
    """Return what is on one file system, by its path there; empty folders where others are mounted."""
    deeper = layout.below(part.mountpoint)
    found: list[tuple[str, Entry]] = [
        (f"/{PurePosixPath(place).relative_to(part.mountpoint)}", Folder()) for place in deeper
    ]
    for path, entry in tree.items():
        pure = PurePosixPath(path)
        elsewhere = any(pure.is_relative_to(place) for place in deeper)
        if path != part.mountpoint and pure.is_relative_to(part.mountpoint) and not elsewhere:
            found.append((f"/{pure.relative_to(part.mountpoint)}", entry))
    return found
