"""Block maps, which say where the blocks of a file are without extents: Documentation/filesystems/ext4/blockmap.rst.

An inode has 15 block numbers: of twelve blocks, of a block of block numbers, of a block of such blocks, and of a block
of those. Zero is a hole. Depth is fixed, so what is asked for limits what is read, whatever the numbers are.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Final

from diskimage_validator.engines.direct.ext.inodes import Inode
from diskimage_validator.engines.direct.ext.runs import Run, Space
from diskimage_validator.errors import DeclinedError

DIRECT: Final = 12
LEVELS: Final = 3


def mapped_runs(space: Space, inode: Inode, first: int, end: int) -> Iterator[Run]:
    """Yield the runs of an inode's logical blocks from ``first`` to before ``end``. Raises DeclinedError."""
    numbers = struct.unpack("<15I", inode.root)
    per_block = space.block_size // 4
    if end > DIRECT + sum(per_block**level for level in range(1, LEVELS + 1)):
        raise DeclinedError(f"ext: inode {inode.number} is larger than its block map can be")
    return _joined(space, _blocks(space, numbers, per_block, first, end))


def _blocks(space: Space, numbers: Sequence[int], per_block: int, first: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield (logical block, block) of what is asked for and is not a hole."""
    yield from _below(space, numbers[:DIRECT], 1, 0, first, end)
    base = DIRECT
    for level, number in enumerate(numbers[DIRECT:], start=1):
        yield from _below(space, (number,), per_block**level, base, first, end)
        base += per_block**level


def _below(
    space: Space, numbers: Sequence[int], span: int, base: int, first: int, end: int
) -> Iterator[tuple[int, int]]:
    """Yield the same of ``numbers``, each of which is about ``span`` logical blocks, from ``base`` on."""
    low = max((first - base) // span, 0)
    high = min(-(-(end - base) // span), len(numbers))
    per_block = space.block_size // 4
    for index in range(low, high):
        number = numbers[index]
        if not number:
            continue
        if span == 1:
            yield base + index, number
        else:
            below = struct.unpack(f"<{per_block}I", space.read(number))
            yield from _below(space, below, span // per_block, base + index * span, first, end)


def _joined(space: Space, blocks: Iterator[tuple[int, int]]) -> Iterator[Run]:
    """Join neighbours to runs."""
    run: Run | None = None
    for logical, block in blocks:
        space.check(block, 1)
        if run and (logical, block) == (run.logical + run.blocks, run.start + run.blocks):
            run = run._replace(blocks=run.blocks + 1)
            continue
        if run:
            yield run
        run = Run(logical, block, 1)
    if run:
        yield run
