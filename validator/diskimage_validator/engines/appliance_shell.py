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


def fetch(handle: Any, path: str, *, limit: int, after: str) -> bytes | None:
    """Return the content of a gzip file of the appliance's own; None if it is no such file or has more than ``limit``.

    ``path`` is one of ours, and ``after`` the command that writes it: both in one call, because every call starts
    programs, a tenth of a second without KVM. The limit is one of bytes, compressed or not: a hostile answer must not
    fill the memory.
    """
    said = run(handle, f"{after} && stat -c %s {path} && {_part(path, 0)}")
    size, _, first = (said or "").partition("\n")
    if not (size.isascii() and size.isdigit()) or int(size) > limit:
        return None
    parts = [first]
    for number in range(1, -(-int(size) // CHUNK)):
        data = run(handle, _part(path, number))
        if data is None:
            return None
        parts.append(data)
    return _unpack(parts, limit)


def _part(path: str, number: int) -> str:
    return f"dd if={path} bs={CHUNK} skip={number} count=1 status=none | base64 -w0"


def _unpack(parts: list[str], limit: int) -> bytes | None:
    unpacker = zlib.decompressobj(GZIP)
    try:
        content = unpacker.decompress(b"".join(base64.b64decode(part, validate=True) for part in parts), limit + 1)
    except (binascii.Error, zlib.error):
        return None
    return content if unpacker.eof and len(content) <= limit else None
