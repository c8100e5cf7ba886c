"""Small ELF files, made by hand: what the kernel and the dynamic loader look at, and nothing else."""

import struct
from collections.abc import Iterable
from itertools import accumulate

LOADER = "/lib64/ld-linux-x86-64.so.2"
_LOAD, _DYNAMIC, _INTERP = 1, 2, 3
_NEEDED, _STRTAB, _SONAME, _RPATH, _RUNPATH = 1, 5, 14, 15, 29


def make_elf(
    *,
    machine: int = 62,
    bits: int = 64,
    order: str = "<",
    interpreter: str = "",
    needed: Iterable[str] = (),
    soname: str = "",
    rpath: str = "",
    runpath: str = "",
) -> bytes:
    """Return an ELF file: one segment that loads all of it, and a dynamic section if there is something to say."""
    word, header_size, entry_size = ("Q", 64, 56) if bits == 64 else ("I", 52, 32)
    named = [(_NEEDED, name) for name in needed]
    named += [(tag, text) for tag, text in ((_SONAME, soname), (_RPATH, rpath), (_RUNPATH, runpath)) if text]
    texts = [b"", *(text.encode() for _, text in named)]
    strings = b"".join(text + b"\0" for text in texts)
    offsets = list(accumulate((len(text) + 1 for text in texts), initial=0))[1:]
    count = 1 + bool(interpreter) + bool(named)
    loader = interpreter.encode() + b"\0" if interpreter else b""
    loader_at = header_size + count * entry_size
    strings_at = loader_at + len(loader)
    dynamic_at = strings_at + len(strings)
    tags = [(tag, offset) for (tag, _), offset in zip(named, offsets, strict=False)]
    tags += [(_STRTAB, strings_at), (0, 0)]
    dynamic = b"".join(struct.pack(f"{order}2{word}", *tag) for tag in tags) if named else b""
    size = dynamic_at + len(dynamic)
    segments = [(_LOAD, 0, size)]
    segments += [(_INTERP, loader_at, len(loader))] if interpreter else []
    segments += [(_DYNAMIC, dynamic_at, len(dynamic))] if named else []
    ident = b"\x7fELF" + bytes([bits // 32, 1 if order == "<" else 2, 1]) + bytes(9)
    header = ident + struct.pack(
        f"{order}HHI3{word}I6H", 3, machine, 1, 0, header_size, 0, 0, header_size, entry_size, count, 0, 0, 0
    )
    table = b"".join(_program_header(kind, offset, length, bits, order) for kind, offset, length in segments)
    return header + table + loader + strings + dynamic


def _program_header(kind: int, offset: int, size: int, bits: int, order: str) -> bytes:
    if bits == 64:
        return struct.pack(f"{order}2I6Q", kind, 5, offset, offset, offset, size, size, 1)
    return struct.pack(f"{order}8I", kind, offset, offset, offset, size, size, 5, 1)


def library(soname: str, *, needed: Iterable[str] = (), machine: int = 62, runpath: str = "", rpath: str = "") -> bytes:
    return make_elf(soname=soname, needed=needed, machine=machine, runpath=runpath, rpath=rpath)


def linked(*needed: str, runpath: str = "", rpath: str = "", interpreter: str = LOADER) -> bytes:
    """Return a program that needs these libraries."""
    return make_elf(interpreter=interpreter, needed=needed, runpath=runpath, rpath=rpath)


def ld_so_cache(entries: Iterable[tuple[str, str]], *, order: str = "<") -> bytes:
    """Return the content of /etc/ld.so.cache with these (name, path), in the format of glibc 2.32 and later."""
    entries = list(entries)
    texts = [text.encode() + b"\0" for entry in entries for text in entry]
    start = 48 + 24 * len(entries)
    offsets = list(accumulate((len(text) for text in texts), initial=start))
    flag = 2 if order == "<" else 3
    sizes = (len(entries), sum(map(len, texts)))
    header = b"glibc-ld.so.cache1.1" + struct.pack(f"{order}IIB3x4I", *sizes, flag, 0, 0, 0, 0)
    libs = [struct.pack(f"{order}iIIIQ", 0x303, offsets[2 * n], offsets[2 * n + 1], 0, 0) for n in range(len(entries))]
    return header + b"".join(libs) + b"".join(texts)
