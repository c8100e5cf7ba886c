"""MD5 and SHA-256 of a file, computed side by side from one reading, in the files that diskimage-builder writes."""

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final

ALGORITHMS: Final = ("md5", "sha256")
"""What ``disk-image-create --checksum`` writes, each into a file whose suffix is its name (DIB's ``finish_image``)."""

PIECE: Final = 4 * 1024 * 1024


def digests(path: Path, *, stop: Callable[[], None] = lambda: None) -> dict[str, str]:
    """Return the digests of ``path`` in lower-case hex, by algorithm.

    Each algorithm has a thread (hashlib lets go of the interpreter's lock), and the next piece is read meanwhile.
    ``stop`` is called before each piece, and may raise. Raises OSError if the file cannot be read.
    """
    hashes = [hashlib.new(name, usedforsecurity=False) for name in ALGORITHMS]
    buffers = (bytearray(PIECE), bytearray(PIECE))
    with path.open("rb", buffering=0) as file, ThreadPoolExecutor(len(hashes)) as pool:
        begun: list[Future[None]] = []
        turn = 0
        while True:
            stop()
            read = file.readinto(buffers[turn])
            wait(begun)
            if not read:
                break
            begun = [pool.submit(one.update, memoryview(buffers[turn])[:read]) for one in hashes]
            turn = 1 - turn
    return {one.name: one.hexdigest() for one in hashes}


def write_checksums(image: Path, found: Mapping[str, str], *, name: str) -> list[Path]:
    """Write the digests of ``image`` into ``<image>.md5`` and so on, and return these files.

    ``name`` is what the lines call the image. They are those of md5sum(1), which diskimage-builder calls with the path
    of the image as it was given to it: a backslash or a line end in it is escaped, which a backslash in front tells.
    """
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "\\" if escaped != name else ""
    written: list[Path] = []
    for algorithm, digest in found.items():
        file = image.with_name(f"{image.name}.{algorithm}")
        file.write_text(f"{mark}{digest}  {escaped}\n")
        written.append(file)
    return written
