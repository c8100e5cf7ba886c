"""What an ELF file asks the dynamic loader for: elf(5), and the gABI's chapter "Program Loading and Dynamic Linking".

Only what the loader looks at is read: the header, the segments, the dynamic tags; never a section. What the file says
of numbers and sizes is held against what is there, and every loop has an end.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.elf import HEADER_SIZE, parse_header
from diskimage_validator.frozen import dataclass

MAX_SEGMENTS: Final = 256
MAX_TAGS: Final = 1_024
MAX_STRING: Final = 4_096
MAX_NEEDED: Final = 500
MAX_SEARCH: Final = 64
"""Folders of one run path."""

# p_type and d_tag: elf.h.
_LOAD, _DYNAMIC, _INTERP = 1, 2, 3
_NULL, _NEEDED, _STRTAB, _SONAME, _RPATH, _RUNPATH = 0, 1, 5, 14, 15, 29
_STRINGS: Final = frozenset({_NEEDED, _SONAME, _RPATH, _RUNPATH})


class DamagedElfError(FactError):
    """The kernel or the loader would refuse this file too."""


@dataclass(frozen=True)
class Dynamic:
    """``machine``: as uname -m; ``interpreter``: the loader, empty for a static program or a library.

    ``needed``, ``soname``: names of libraries; ``rpath``, ``runpath``: folders, ``$ORIGIN`` and the like not expanded.
    All names are those of the engine: pass them through ``clean_path`` before they become part of a fact.
    """

    machine: str
    interpreter: str = ""
    needed: tuple[str, ...] = ()
    soname: str = ""
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Layout:
    """The records of one class of ELF files, in one byte order.

    ``start``: e_phoff, e_phentsize and e_phnum of the header; ``segment``: p_type, p_offset, p_vaddr and p_filesz;
    ``tag``: d_tag and d_val.
    """

    start: struct.Struct
    segment: struct.Struct
    tag: struct.Struct


_FORMATS: Final = ((1, "28xI10xHH6x", "IIIxxxxI12x", "iI"), (2, "32xQ14xHH6x", "IxxxxQQ8xQ16x", "qQ"))
_LAYOUTS: Final = {
    bytes([bits, number]): _Layout(*(struct.Struct(order + form) for form in formats))
    for bits, *formats in _FORMATS
    for number, order in ((1, "<"), (2, ">"))
}
"""By EI_CLASS and EI_DATA of e_ident."""


@dataclass(frozen=True)
class _Segment:
    type: int
    offset: int
    address: int
    size: int


def parse_dynamic(stream: IO[bytes]) -> Dynamic:
    """Return what the ELF file in ``stream``, which can seek, asks for.

    Raises DamagedElfError if it is none, or one that could not be loaded, FactError if it is over a limit. The number
    of bytes that are read is bounded, whatever the file says.
    """
    stream.seek(0)
    data = stream.read(HEADER_SIZE)
    header = parse_header(data)
    if header.kind != "elf":
        raise DamagedElfError("no ELF file")
    layout = _LAYOUTS.get(data[4:6])
    if layout is None:
        raise DamagedElfError("damaged ELF file: no such class or byte order")
    with _damage():
        segments = list(_segments(layout, stream, *layout.start.unpack_from(data)))
        found = _strings(layout, stream, segments)
        interpreter = _interpreter(stream, segments)
    return Dynamic(
        machine=header.machine,
        interpreter=interpreter,
        needed=tuple(text for tag, text in found if tag == _NEEDED),
        soname=next((text for tag, text in found if tag == _SONAME), ""),
        rpath=_folders(found, _RPATH),
        runpath=_folders(found, _RUNPATH),
    )


@contextmanager
def _damage() -> Iterator[None]:
    """Everything that decoding raises for wrong content means one thing."""
    try:
        yield
    except (struct.error, ValueError, OverflowError) as error:
        raise DamagedElfError(f"damaged ELF file: {type(error).__name__}: {error}") from error


def _segments(layout: _Layout, stream: IO[bytes], start: int, size: int, count: int) -> Iterator[_Segment]:
    if not count or size != layout.segment.size:
        raise DamagedElfError(f"{count} program headers of {size} bytes")
    if count > MAX_SEGMENTS:
        raise FactError(f"an ELF file with more than {MAX_SEGMENTS} program headers")
    length = stream.seek(0, os.SEEK_END)
    stream.seek(start)
    data = stream.read(count * size)
    for number in range(count):
        segment = _Segment(*layout.segment.unpack_from(data, number * size))
        wanted = segment.offset + segment.size
        if segment.type in (_LOAD, _DYNAMIC, _INTERP) and wanted > length:
            raise DamagedElfError(f"truncated ELF file: {length} bytes, but its contents reach up to {wanted}")
        yield segment


def _interpreter(stream: IO[bytes], segments: list[_Segment]) -> str:
    segment = next((segment for segment in segments if segment.type == _INTERP), None)
    return _string(stream, segment.offset) if segment else ""


def _strings(layout: _Layout, stream: IO[bytes], segments: list[_Segment]) -> list[tuple[int, str]]:
    """Return (tag, text) of the tags that we read, in their order."""
    dynamic = next((segment for segment in segments if segment.type == _DYNAMIC), None)
    if dynamic is None:
        return []
    tags = list(_tags(layout, stream, dynamic))
    wanted = [(tag, value) for tag, value in tags if tag in _STRINGS]
    if not wanted:
        return []
    table = next((value for tag, value in tags if tag == _STRTAB), None)
    if table is None:
        raise DamagedElfError("no string table for the dynamic section")
    start = _file_offset(table, segments)
    if len(wanted) > MAX_NEEDED:
        raise FactError(f"an ELF file that needs more than {MAX_NEEDED} libraries")
    return [(tag, _string(stream, start + value)) for tag, value in wanted]


def _tags(layout: _Layout, stream: IO[bytes], dynamic: _Segment) -> Iterator[tuple[int, int]]:
    size = layout.tag.size
    stream.seek(dynamic.offset)
    data = stream.read(min(dynamic.size, (MAX_TAGS + 1) * size))
    for number in range(len(data) // size):
        if number == MAX_TAGS:
            raise FactError(f"an ELF file with more than {MAX_TAGS} dynamic tags")
        tag, value = layout.tag.unpack_from(data, number * size)
        if tag == _NULL:
            return
        yield tag, value


def _file_offset(address: int, segments: list[_Segment]) -> int:
    for segment in segments:
        if segment.type == _LOAD and segment.address <= address < segment.address + segment.size:
            return segment.offset + address - segment.address
    raise DamagedElfError(f"address {address:#x} is in no segment")


def _string(stream: IO[bytes], offset: int) -> str:
    stream.seek(offset)
    text, end, _ = stream.read(MAX_STRING).partition(b"\0")
    if not end:
        raise DamagedElfError("a string without an end")
    return text.decode("utf-8", "surrogateescape")


def _folders(found: list[tuple[int, str]], wanted: int) -> tuple[str, ...]:
    text = next((text for tag, text in found if tag == wanted), "")
    folders = tuple(folder for folder in text.split(":") if folder)
    if len(folders) > MAX_SEARCH:
        raise FactError(f"an ELF file with a run path of more than {MAX_SEARCH} folders")
    return folders
