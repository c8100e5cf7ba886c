"""Digests of many files at once: by a target that has coreutils, so that nothing but names and digests is carried.

Names are hostile. They go as base64, end in zero bytes, and come back so: ``-z`` of md5sum(1) and its siblings writes
them as they are. What is not told in that way is left out of the answer, and whoever asks reads the file himself.
"""

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final

ALGORITHMS: Final = {
    name: hashlib.new(name, usedforsecurity=False).digest_size * 2
    for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
}
"""What package managers use, by the name that hashlib has for it; the value is the number of hex digits."""
PIECE: Final = 4 * 1024 * 1024
"""Bytes that are read of a file at a time."""
_GZIP: Final = 31
"""wbits of zlib.compressobj for the format of gzip."""
_LINE: Final = re.compile(rb"([0-9a-f]+) [ *](.+)", re.DOTALL)


def digest(read: Callable[[str, int, int], bytes], path: str, size: int, algorithm: str) -> str:
    """Return the digest, in hex, of the first ``size`` bytes of ``path``; ``read`` is an engine's primitive."""
    found = hashlib.new(algorithm, usedforsecurity=False)
    for offset in range(0, size, PIECE):
        found.update(read(path, offset, min(PIECE, size - offset)))
    return found.hexdigest()


def command(algorithm: str) -> str:
    """Return the shell command that reads names, which end in zero bytes, and writes digests in the same form."""
    if algorithm not in ALGORITHMS:
        raise ValueError(f"{algorithm}: no digest of coreutils")
    return f"xargs -0 -r {algorithm}sum -z --"


def encode(paths: Iterable[str]) -> bytes:
    """Return names for ``command``, as lines of base64."""
    return base64.encodebytes(_joined(paths))


def packed(paths: list[str], longest: int) -> Iterator[str]:
    """Yield names for ``command``, gzip in base64, in words of up to ``longest`` characters; no name that is longer."""
    packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
    word = base64.b64encode(packer.compress(_joined(paths)) + packer.flush()).decode()
    if len(word) <= longest:
        yield word
    elif len(paths) > 1:
        middle = len(paths) // 2
        yield from packed(paths[:middle], longest)
        yield from packed(paths[middle:], longest)


def parse(output: bytes, algorithm: str) -> dict[str, str]:
    """Return path to digest out of what ``command`` wrote. What is cut off, or no digest of that kind, is left out."""
    found = {}
    for record in output.split(b"\0")[:-1]:
        match = _LINE.fullmatch(record)
        if match and len(match[1]) == ALGORITHMS[algorithm]:
            found[match[2].decode("utf-8", "surrogateescape")] = match[1].decode("ascii")
    return found


def _joined(paths: Iterable[str]) -> bytes:
    return b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in paths)
