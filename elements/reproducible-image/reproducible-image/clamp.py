"""Set every date in a root that is later than EPOCH to EPOCH, and dates of access to those of modification.

    clamp.py ROOT EPOCH

A compiled Python file notes the date of its source and is void if that date changes, so its note changes along.
"""

import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

PYC_HEADER = struct.Struct("<4sIII")  # magic number, flags, date and size of the source: PEP 552
BY_DATE = 0  # flags of a file that is checked by the date of its source


def clamp(root: Path, epoch: int) -> None:
    """Clamp the dates of all that is in ``root``, itself included; ``epoch`` in seconds since 1970."""
    device = root.lstat().st_dev
    for path in below(root, device):
        status = path.lstat()
        if path.suffix == ".pyc" and not path.is_symlink():
            note_source_date(path, epoch)
        date = min(status.st_mtime_ns, epoch * 10**9)
        os.utime(path, ns=(date, date), follow_symlinks=False)


def below(root: Path, device: int) -> Iterator[Path]:
    """Yield every path of the file system that ``root`` is on; of other file systems' roots, nothing."""
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        folders[:] = [name for name in folders if (here / name).lstat().st_dev == device]
        yield here
        yield from (here / name for name in files)
        yield from (here / name for name in folders if (here / name).is_symlink())


def note_source_date(path: Path, epoch: int) -> None:
    """Clamp the date that a compiled file expects of its source. The file's own date changes."""
    with path.open("r+b") as file:
        header = file.read(PYC_HEADER.size)
        if len(header) < PYC_HEADER.size:
            return
        magic, flags, date, size = PYC_HEADER.unpack(header)
        if flags == BY_DATE and date > epoch:
            file.seek(0)
            file.write(PYC_HEADER.pack(magic, flags, epoch, size))


if __name__ == "__main__":
    clamp(Path(sys.argv[1]), int(sys.argv[2]))
