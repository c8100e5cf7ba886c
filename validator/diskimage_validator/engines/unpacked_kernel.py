"""Unpack the kernel of an appliance: ``python unpacked_kernel.py KERNEL FOLDER`` writes the path of what to start.

A kernel is a compressed file that unpacks itself, and under TCG that is a third of an appliance's start: two seconds
and a half for Debian's, which is packed with xz. QEMU can start an unpacked one by its PVH entry as well (CONFIG_PVH,
which distributions set). So it is unpacked here, once, into FOLDER, under the digest of the packed file; initrd and
modules and all else stay as libguestfs chose them. Whatever cannot be unpacked is started as it is.

Nothing is imported but the standard library: this runs on its own, between libguestfs and its QEMU.
"""

import bz2
import hashlib
import lzma
import os
import struct
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

PREFIX: Final = "vmlinux-"
MAX_KERNEL: Final = 128 * 1024 * 1024
"""Bytes, packed. Debian's has 8 MiB."""
MAX_UNPACKED: Final = 1024 * 1024 * 1024
PROTOCOL: Final = 0x208
"""The boot protocol since which the header tells where the payload is: Documentation/arch/x86/boot.rst."""
SECTOR: Final = 512
PT_NOTE: Final = 4
PVH: Final = (b"Xen\0", 18)
"""Owner and type of the note with the entry: XEN_ELFNOTE_PHYS32_ENTRY in xen/interface/elfnote.h."""


def kernel_for(kernel: Path, folder: Path) -> Path:
    """Return the unpacked kernel, made in ``folder`` if need be; ``kernel`` itself if there is none."""
    try:
        packed = kernel.read_bytes() if kernel.stat().st_size <= MAX_KERNEL else b""
        place = folder / f"{PREFIX}{hashlib.sha256(packed).hexdigest()}"
        if not place.is_file():
            content = unpack(packed)
            if not has_pvh_entry(content):
                return kernel
            _write(place, content)
        return place
    except OSError:
        return kernel


def unpack(image: bytes) -> bytes:
    """Return the ELF file in a bzImage; nothing if it is no bzImage, or packed in a way that Python cannot undo."""
    try:
        (version,) = struct.unpack_from("<H", image, 0x206)
        if image[0x202:0x206] != b"HdrS" or version < PROTOCOL:
            return b""
        offset, size = struct.unpack_from("<II", image, 0x248)
        start = ((image[0x1F1] or 4) + 1) * SECTOR + offset
        payload = image[start : start + size]
        if payload.startswith(b"\x1f\x8b"):
            return zlib.decompressobj(31).decompress(payload, MAX_UNPACKED)
        if payload.startswith(b"BZh"):
            return bz2.BZ2Decompressor().decompress(payload, MAX_UNPACKED)
        if payload.startswith((b"\xfd7zXZ\0", b"\x5d\0\0")):
            return lzma.LZMADecompressor().decompress(payload, MAX_UNPACKED)
    except (struct.error, IndexError, OSError, EOFError, zlib.error, lzma.LZMAError):
        pass
    return b""


def has_pvh_entry(content: bytes) -> bool:
    """Whether an ELF file of 64 bits has a note with the entry that QEMU starts."""
    try:
        return content.startswith(b"\x7fELF\x02\x01") and PVH in _notes(content)
    except struct.error:
        return False


def _notes(content: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield owner and type of every note: elf(5)."""
    (table,) = struct.unpack_from("<Q", content, 32)
    length, count = struct.unpack_from("<HH", content, 54)
    for number in range(count):
        kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", content, table + number * length)
        position, end = offset, offset + size
        while kind == PT_NOTE and position < end:
            name, description, type_ = struct.unpack_from("<III", content, position)
            position += 12
            yield content[position : position + name], type_
            position += -(-name // 4) * 4 + -(-description // 4) * 4


def _write(place: Path, content: bytes) -> None:
    """Write ``place`` whole, and remove the kernels that were there before it."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    old = [path for path in place.parent.glob(f"{PREFIX}*") if path != place]
    descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=PREFIX)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        Path(name).replace(place)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    for path in old:
        with suppress(OSError):
            path.unlink()


def main(kernel: str, folder: str) -> None:
    """Write the path, without a line break."""
    os.write(1, os.fsencode(kernel_for(Path(kernel), Path(folder))))


if __name__ == "__main__":
    main(*sys.argv[1:])
