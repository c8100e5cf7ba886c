"""Many questions in one round trip: commands of our own that run in the appliance.

A call to the appliance costs half a millisecond to a quarter of a second, and libguestfs has none for a whole tree. Its
``debug`` call (guestfs(3)) runs a shell command in the appliance, with the programs of the appliance and never one of
the image. Commands are constant text and numbers; a name from the image is in them as base64 only. It is no interface
that libguestfs promises, so whatever does not work as expected is answered with None, and the engine uses the calls
that are documented.
"""

import base64
import binascii
import zlib
from typing import Any, Final

CHUNK: Final = 2 * 1024 * 1024
"""Bytes of one answer before base64: a message is limited to 4 MiB (guestfs-internals(3))."""
GZIP: Final = 31
"""wbits of zlib.decompressobj for the format of gzip."""


def run(handle: Any, command: str) -> str | None:
    """Return what the command wrote, or None if it failed or did not write UTF-8."""
    try:
        return str(handle.debug("sh", [command]))
    except (RuntimeError, UnicodeDecodeError):
        return None


def fetch(handle: Any, path: str, *, limit: int) -> bytes | None:
    """Return the content of a gzip file of the appliance's own; None if it is no such file or has more than ``limit``.

    ``path`` is one of ours. The limit is one of bytes, compressed or not: a hostile answer must not fill the memory.
    """
    text = run(handle, f"stat -c %s {path}")
    if text is None or not text.strip().isdigit() or int(text) > limit:
        return None
    parts = []
    for number in range(-(-int(text) // CHUNK)):
        data = run(handle, f"dd if={path} bs={CHUNK} skip={number} count=1 status=none | base64 -w0")
        if data is None:
            return None
        parts.append(data)
    return _unpack(parts, limit)


def _unpack(parts: list[str], limit: int) -> bytes | None:
    unpacker = zlib.decompressobj(GZIP)
    try:
        content = unpacker.decompress(b"".join(base64.b64decode(part, validate=True) for part in parts), limit + 1)
    except (binascii.Error, zlib.error):
        return None
    return content if unpacker.eof and len(content) <= limit else None
