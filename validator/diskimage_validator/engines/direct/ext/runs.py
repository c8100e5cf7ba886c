"""What maps of blocks are made of."""

from typing import NamedTuple

from diskimage_validator.engines.direct.ext.superblock import Superblock
from diskimage_validator.engines.direct.ext.volume import Volume
from diskimage_validator.errors import DeclinedError


class Run(NamedTuple):
    """Blocks of a file that lie one after the other on the volume, from its block ``logical`` on."""

    logical: int
    start: int
    blocks: int


class Space:
    """The blocks of the volume that may hold content."""

    def __init__(self, volume: Volume, superblock: Superblock) -> None:
        self.block_size = superblock.block_size
        self.cluster_size = superblock.block_size << superblock.cluster_bits
        self.volume = volume
        self._first = superblock.first_data_block
        self._blocks = superblock.blocks

    def check(self, block: int, count: int) -> None:
        """Raise DeclinedError unless ``count`` blocks from ``block`` on are on the volume, after the superblock."""
        if not self._first < block <= self._blocks - count:
            raise DeclinedError(f"ext: {count} blocks from {block} on are not on the volume")

    def read(self, block: int, count: int = 1) -> bytes:
        """Return the content of blocks. Raises DeclinedError if they are not on the volume."""
        self.check(block, count)
        return self.volume.read(block * self.block_size, count * self.block_size)
