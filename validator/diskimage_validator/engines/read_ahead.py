"""Have the appliance's kernel read inodes and folders of an ext4 in long reads, before find(1) asks for each block.

A walk needs every folder and every inode that is in use. The kernel reads a folder when it comes by it, 4 KiB at a
time: 3,000 requests for a node image, each half a millisecond of work where there is no KVM. But it wrote them side by
side. Inodes are at the beginning of their tables. Folders are behind the tables of their flex group, if that is of at
least four groups, for files begin in its second group (EXT4_FLEX_SIZE_DIR_ALLOC_SCHEME in fs/ext4). So dumpe2fs(8)
tells where that is, dd reads it, both in the appliance, and the kernel then finds it in its cache.

It is a guess, from what a hostile file system says of itself, and nothing but time depends on it: what is read here
goes to /dev/null, there is a limit to it, and the kernel answers from the same blocks as without it.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from diskimage_validator.engines import appliance_shell

MAX_TEXT: Final = 1024 * 1024
"""Bytes of what dumpe2fs says that are looked at: those of 6,000 groups of 128 MiB."""
MAX_BYTES: Final = 64 * 1024 * 1024
"""Bytes that are read ahead. 30,000 entries need 22 MiB."""
WORTH: Final = 256 * 1024
"""Bytes for which it is worth to start a program in the appliance."""
FLEX: Final = 4
"""Groups of a flex group from which on the kernel keeps its folders together."""
DEVICE: Final = "/dev/[[:alnum:]/_.+-]*"
"""What a device is called by the kernel or by LVM. Of names with anything else nothing is read ahead."""
FIELDS: Final = "Block size|Inode size|Inodes per group|Flex block group size"
COMMAND: Final = (
    f"for device in $(sed -n 's,^\\({DEVICE}\\) /sysroot[^ ]* ext4 .*,\\1,p' /proc/mounts); do echo Device: $device; "
    f"timeout 60 dumpe2fs $device 2>/dev/null | grep -E '^({FIELDS}):|^  Inode table at|directories' | sed 's/^/ /'; "
    f"done | head -c {MAX_TEXT}"
)
"""All that dumpe2fs says is moved by a space: a label with a line break in it names no device."""
_DEVICE: Final = re.compile(rf"^Device: ({DEVICE.replace('[:alnum:]', '0-9A-Za-z')})$", re.MULTILINE)
_FIELD: Final = re.compile(rf"^ ({FIELDS}):[ \t]+(\d{{1,9}})$", re.MULTILINE)
_TABLE: Final = re.compile(r"^   Inode table at (\d{1,18})-(\d{1,18})\b", re.MULTILINE)
_COUNTS: Final = re.compile(
    r"^   \d+ free \w+, \d+ free inodes, (\d{1,9}) directories(?:, (\d{1,9}) unused inodes)?$", re.MULTILINE
)


class Range(NamedTuple):
    """A part of a device, in bytes."""

    start: int
    size: int


def read_ahead(handle: Any) -> None:
    """Have what the appliance has mounted as ext4 read ahead; nothing, if anything is not as it is expected."""
    _, *parts = _DEVICE.split(appliance_shell.run(handle, COMMAND) or "")
    commands = [
        f"dd if={device} of=/dev/null bs=1M iflag=skip_bytes,count_bytes skip={start} count={size} status=none"
        for device, text in zip(parts[::2], parts[1::2], strict=True)
        for start, size in ranges(text)
    ]
    if commands:
        appliance_shell.run(handle, f"{{ {'; '.join(commands)}; }} 2>/dev/null")


def ranges(text: str) -> list[Range]:
    """Return what to read, MAX_BYTES at most, of the file system of which ``text`` is what dumpe2fs said."""
    found: list[Range] = []
    left = MAX_BYTES
    for start, size in _parts(text):
        if WORTH <= size <= left:
            found.append(Range(start, size))
            left -= size
    return found


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """Yield the inodes of each group, and the folders of each flex group."""
    fields = {name: int(value) for name, value in _FIELD.findall(text)}
    block, inode = fields.get("Block size", 0), fields.get("Inode size", 0)
    flex = max(fields.get("Flex block group size", 1), 1)
    tables = ((int(first), int(last)) for first, last in _TABLE.findall(text))
    counts = ((int(folders), int(unused or 0)) for folders, unused in _COUNTS.findall(text))
    groups = list(zip(tables, counts, strict=False))  # the text may be cut off
    for number in range(0, len(groups), flex):
        together = groups[number : number + flex]
        for (first, _), (_, unused) in together:
            yield first * block, (fields.get("Inodes per group", 0) - unused) * inode
        if flex >= FLEX:
            folders = sum(folders for _, (folders, _) in together)
            # Some need more than one block, and some files lie between them.
            yield (max(last for (_, last), _ in together) + 1) * block, (folders + folders // 8) * block
