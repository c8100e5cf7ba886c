"""Write a packed qcow2 image with all processors, the same bytes for the same disk.

``qemu-img convert -c`` packs with one processor as long as it writes in order; out of order (``-W``, which its manual
advises against for packed images) the file differs from one time to the next. Here threads pack pieces of the disk and
one writes them in order. zlib-ng needs less than half of zlib's time for the same format, which is the only one that a
qcow2 of version 2 knows.

The layout is that of QEMU's docs/interop/qcow2.txt: the header in the first cluster, then the data, the L2 tables, the
L1 table, refcount blocks and their table. Clusters of zeroes are not allocated, and what does not get smaller is stored
as it is. All clusters are of 64 KiB, qemu-img's default.
"""

import itertools
import os
import struct
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, cast

CLUSTER_BITS: Final = 16
CLUSTER: Final = 1 << CLUSTER_BITS
BATCH: Final = 16
"""Clusters that a thread packs at a time."""

L2_ENTRIES: Final = CLUSTER // 8
REFCOUNTS: Final = CLUSTER // 2
"""Entries in a refcount block: 16 bits each (refcount_order 4)."""

COPIED: Final = 1 << 63
COMPRESSED: Final = 1 << 62
SECTORS_SHIFT: Final = 62 - (CLUSTER_BITS - 8)
"""Where the number of further 512-byte sectors begins in the L2 entry of a compressed cluster."""

ZSTD_FEATURE: Final = 1 << 3
"""Incompatible feature bit 3: the header says how clusters are compressed."""

ZLIB_LEVEL: Final = 5
"""Of zlib-ng: a ninth less time than 6, its default, for a tenth of a percent more bytes."""

ZEROES: Final = bytes(CLUSTER)
Packer = Callable[[bytes], bytes]


def zlib_packer() -> Packer:
    """Return what packs one cluster as deflate with a window of 4 KiB, the largest that QEMU's reader takes."""
    from zlib_ng import zlib_ng

    def pack(data: bytes) -> bytes:
        packer = zlib_ng.compressobj(ZLIB_LEVEL, zlib_ng.DEFLATED, -12, 9)
        return packer.compress(data) + packer.flush()

    return pack


def zstd_packer() -> Packer:
    """Return what packs one cluster as a zstd frame, at QEMU's level."""
    import zstandard

    return cast("Packer", zstandard.ZstdCompressor(level=3).compress)


def write_qcow2(
    raw: Path, target: Path, *, version: int, zstd: bool, stop: Callable[[], None], progress: Callable[[float], None]
) -> None:
    """Write the disk ``raw`` as the new qcow2 image ``target``, of ``version`` 2 or 3; ``zstd`` wants 3.

    ``stop`` is called often and may raise; ``progress`` is told percents. Raises OSError if a file cannot be read or
    written.
    """
    if zstd and version != 3:
        raise ValueError("zstd wants version 3")
    with raw.open("rb", buffering=0) as source, target.open("xb") as file:
        size = os.fstat(source.fileno()).st_size
        image = _Image(file.fileno(), -(-size // 512) * 512)
        for index, data, packed in _packed(source.fileno(), size, zstd, stop, progress):
            image.add(index, data, packed)
        image.finish(version, zstd)


def _packed(
    source: int, size: int, zstd: bool, stop: Callable[[], None], progress: Callable[[float], None]
) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (index, content, packed content) of every cluster that is not all zeroes, in order."""
    workers = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(workers) as pool:
        # A compressor is for one thread at a time.
        packers = deque(zstd_packer() if zstd else zlib_packer() for _ in range(workers))

        def work(first: int) -> list[tuple[int, bytes, bytes]]:
            packer = packers.popleft()
            try:
                return list(_pack(source, first, packer))
            finally:
                packers.append(packer)

        ahead: deque[Future[list[tuple[int, bytes, bytes]]]] = deque()
        begins = _batches(source, size)
        try:
            ahead.extend(pool.submit(work, begin) for begin in itertools.islice(begins, 2 * workers))
            while ahead:
                stop()
                done = ahead.popleft().result()
                ahead.extend(pool.submit(work, begin) for begin in itertools.islice(begins, 1))
                yield from done
                if done:
                    progress(100 * done[-1][0] * CLUSTER / size)
        finally:
            pool.shutdown(cancel_futures=True)


def _batches(source: int, size: int) -> Iterator[int]:
    """Yield the first cluster of every batch that holds data, and not only a hole of the file (lseek(2))."""
    step = BATCH * CLUSTER
    position = 0
    while position < size:
        try:
            position = os.lseek(source, position, os.SEEK_DATA) // step * step
        except OSError:  # ENXIO: nothing but a hole is left
            return
        yield position // CLUSTER
        position += step


def _pack(source: int, first: int, packer: Packer) -> Iterator[tuple[int, bytes, bytes]]:
    content = os.pread(source, BATCH * CLUSTER, first * CLUSTER)
    for number in range(0, len(content), CLUSTER):
        data = content[number : number + CLUSTER].ljust(CLUSTER, b"\0")
        if data != ZEROES:
            yield first + number // CLUSTER, data, packer(data)


class _Image:
    """The file in the making: where the next bytes go, the L2 tables and how often every host cluster is used."""

    def __init__(self, file: int, size: int) -> None:
        self._file = file
        self._size = size
        self._position = CLUSTER  # of the next packed cluster; the header comes first
        self._end = 1  # the first cluster that nobody uses
        self._tables: dict[int, list[int]] = {}
        self._refcounts: dict[int, int] = {}

    def add(self, index: int, data: bytes, packed: bytes) -> None:
        """Store a cluster, packed if that makes it smaller."""
        if len(packed) >= CLUSTER:
            cluster = self._allocate(1)
            self._refcounts[cluster] = 1
            self._write(data, cluster << CLUSTER_BITS)
            entry = COPIED | cluster << CLUSTER_BITS
        else:
            at = self._place(len(packed))
            self._write(packed, at)
            sectors = (at + len(packed) - 1) // 512 - at // 512
            entry = COMPRESSED | sectors << SECTORS_SHIFT | at
            for cluster in range(at >> CLUSTER_BITS, (at + len(packed) - 1 >> CLUSTER_BITS) + 1):
                self._refcounts[cluster] = self._refcounts.get(cluster, 0) + 1
        self._tables.setdefault(index // L2_ENTRIES, [0] * L2_ENTRIES)[index % L2_ENTRIES] = entry

    def finish(self, version: int, zstd: bool) -> None:
        """Write the tables, and the header last."""
        self._refcounts[0] = 1
        l1_size = -(-self._size // (L2_ENTRIES * CLUSTER))
        l1_table = [0] * l1_size
        for number, table in sorted(self._tables.items()):
            l1_table[number] = self._store(table) | COPIED
        l1_offset = self._store(l1_table)
        refcount_offset, refcount_clusters = self._store_refcounts()
        compressed_by = struct.pack(">B7x", 1) if zstd else b""
        length = 104 + len(compressed_by)
        header = struct.pack(
            ">4sIQIIQIIQQIIQ",
            *(b"QFI\xfb", version, 0, 0, CLUSTER_BITS, self._size, 0),
            *(l1_size, l1_offset, refcount_offset, refcount_clusters, 0, 0),
        )
        if version == 3:
            header += struct.pack(">QQQII", ZSTD_FEATURE if zstd else 0, 0, 0, 4, length) + compressed_by
        self._write(header.ljust(CLUSTER, b"\0"), 0)
        os.ftruncate(self._file, self._end << CLUSTER_BITS)

    def _place(self, size: int) -> int:
        """Return where ``size`` packed bytes go: after the last ones, if the file goes on there."""
        room = (-self._position) % CLUSTER
        if size > room:
            begin = self._allocate(1) << CLUSTER_BITS
            if begin != self._position + room:
                self._position = begin
        at = self._position
        self._position += size
        return at

    def _allocate(self, clusters: int) -> int:
        """Take clusters at the end of the file, and return the first."""
        first = self._end
        self._end += clusters
        return first

    def _store(self, table: list[int]) -> int:
        """Write a table of 64-bit numbers into clusters of its own, and return its offset."""
        clusters = max(1, -(-len(table) // L2_ENTRIES))
        first = self._allocate(clusters)
        self._refcounts.update(dict.fromkeys(range(first, first + clusters), 1))
        self._write(struct.pack(f">{len(table)}Q", *table).ljust(clusters * CLUSTER, b"\0"), first << CLUSTER_BITS)
        return first << CLUSTER_BITS

    def _store_refcounts(self) -> tuple[int, int]:
        """Write refcount blocks, which count themselves, and their table; return its offset and its clusters."""
        blocks = table = 0
        while blocks * REFCOUNTS < self._end + blocks + table:
            blocks += 1
            table = -(-blocks // L2_ENTRIES)
        first = self._allocate(blocks + table)
        self._refcounts.update(dict.fromkeys(range(first, first + blocks + table), 1))
        for number in range(blocks):
            counts = (self._refcounts.get(number * REFCOUNTS + one, 0) for one in range(REFCOUNTS))
            self._write(struct.pack(f">{REFCOUNTS}H", *counts), first + number << CLUSTER_BITS)
        offsets = struct.pack(f">{blocks}Q", *(first + number << CLUSTER_BITS for number in range(blocks)))
        self._write(offsets.ljust(table * CLUSTER, b"\0"), first + blocks << CLUSTER_BITS)
        return first + blocks << CLUSTER_BITS, table

    def _write(self, data: bytes, offset: int) -> None:
        while data:
            written = os.pwrite(self._file, data, offset)
            data, offset = data[written:], offset + written
