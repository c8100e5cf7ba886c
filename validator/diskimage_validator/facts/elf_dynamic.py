"""What an ELF file asks the dynamic loader for: elf(5), and the gABI's chapter "Program Loading and Dynamic Linking".

Only what the loader looks at: the ELF header, the program headers and the dynamic section, never the sections, which a
library for ELF files begins with. Every loop has an end that the file does not state.
"""

import io
from collections.abc import Callable, Iterator
from operator import itemgetter
from struct import Struct
from typing import IO, Final, NamedTuple

from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.elf import HEADER_SIZE, parse_header
from diskimage_validator.frozen import dataclass

MAX_SEGMENTS: Final = 256
MAX_TAGS: Final = 1_024
MAX_STRING: Final = 4_096
MAX_NEEDED: Final = 500
MAX_SEARCH: Final = 64
"""Folders of one run path."""
LARGEST: Final = (1 << 63) - 1
"""Offset in bytes: off_t."""

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NULL, DT_NEEDED, DT_STRTAB, DT_SONAME, DT_RPATH, DT_RUNPATH = 0, 1, 5, 14, 15, 29
STRINGS: Final = frozenset({DT_NEEDED, DT_SONAME, DT_RPATH, DT_RUNPATH})


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


class _Layout(NamedTuple):
    """The structures of a word size and byte order. ``segment`` is the order of p_type, p_offset, p_vaddr, p_filesz."""

    header: Struct
    program_header: Struct
    segment: Callable[[tuple[int, ...]], tuple[int, ...]]
    tag: Struct


def _layout(order: str, *, wide: bool) -> _Layout:
    """Return Elf64_Ehdr, Elf64_Phdr and Elf64_Dyn, or those of 32 bits. Of the header: e_phoff, size, e_phnum."""
    if wide:
        return _Layout(
            Struct(f"{order}32xQ14xHH"), Struct(f"{order}2I6Q"), itemgetter(0, 2, 3, 5), Struct(f"{order}qQ")
        )
    return _Layout(Struct(f"{order}28xI10xHH"), Struct(f"{order}8I"), itemgetter(0, 1, 2, 4), Struct(f"{order}iI"))


_LAYOUTS: Final = {(bits, data): _layout("<>"[data - 1], wide=bits == 2) for bits in (1, 2) for data in (1, 2)}
"""By EI_CLASS and EI_DATA."""


class _Segment(NamedTuple):
    type: int
    offset: int
    address: int
    size: int


def parse_dynamic(stream: IO[bytes]) -> Dynamic:
    """Return what the ELF file in ``stream``, which can seek, asks for.

    Raises DamagedElfError if it is none, or one that could not be loaded, FactError if it is over a limit. The number
    of bytes that are read is bounded, whatever the file says.
    """
    length = stream.seek(0, io.SEEK_END)
    start = _read(stream, 0, min(length, HEADER_SIZE))
    header = parse_header(start)
    if header.kind != "elf":
        raise DamagedElfError("no ELF file")
    layout = _LAYOUTS.get((start[4], start[5]))
    if layout is None or len(start) < layout.header.size:
        raise DamagedElfError("damaged ELF file: its header")
    segments = list(_segments(layout, stream, start, length))
    found = _strings(layout, stream, segments)
    return Dynamic(
        machine=header.machine,
        interpreter=next((_string(stream, segment.offset) for segment in segments if segment.type == PT_INTERP), ""),
        needed=tuple(text for tag, text in found if tag == DT_NEEDED),
        soname=next((text for tag, text in found if tag == DT_SONAME), ""),
        rpath=_folders(found, DT_RPATH),
        runpath=_folders(found, DT_RUNPATH),
    )


def _read(stream: IO[bytes], offset: int, size: int) -> bytes:
    if offset > LARGEST:
        raise DamagedElfError(f"damaged ELF file: an offset of {offset}")
    stream.seek(offset)
    return stream.read(size)


def _segments(layout: _Layout, stream: IO[bytes], header: bytes, length: int) -> Iterator[_Segment]:
    start, size, count = layout.header.unpack_from(header)
    if not count or size != layout.program_header.size:
        raise DamagedElfError(f"{count} program headers of {size} bytes")
    if count > MAX_SEGMENTS:
        raise FactError(f"an ELF file with more than {MAX_SEGMENTS} program headers")
    table = _read(stream, start, count * size)
    if len(table) < count * size:
        raise DamagedElfError("damaged ELF file: it ends before its program headers do")
    for fields in layout.program_header.iter_unpack(table):
        segment = _Segment(*layout.segment(fields))
        if segment.type in (PT_LOAD, PT_DYNAMIC, PT_INTERP) and segment.offset + segment.size > length:
            wanted = segment.offset + segment.size
            raise DamagedElfError(f"truncated ELF file: {length} bytes, but its contents reach up to {wanted}")
        yield segment


def _strings(layout: _Layout, stream: IO[bytes], segments: list[_Segment]) -> list[tuple[int, str]]:
    """Return (tag, text) of the tags that we read, in their order."""
    dynamic = next((segment for segment in segments if segment.type == PT_DYNAMIC), None)
    if dynamic is None:
        return []
    tags = list(_tags(layout, stream, dynamic))
    wanted = [(tag, value) for tag, value in tags if tag in STRINGS]
    if not wanted:
        return []
    table = next((value for tag, value in tags if tag == DT_STRTAB), None)
    if table is None:
        raise DamagedElfError("no string table for the dynamic section")
    start = _file_offset(table, segments)
    if len(wanted) > MAX_NEEDED:
        raise FactError(f"an ELF file that needs more than {MAX_NEEDED} libraries")
    return [(tag, _string(stream, start + value)) for tag, value in wanted]


def _tags(layout: _Layout, stream: IO[bytes], dynamic: _Segment) -> Iterator[tuple[int, int]]:
    size = layout.tag.size
    count = dynamic.size // size
    section = _read(stream, dynamic.offset, min(count, MAX_TAGS) * size)
    if len(section) % size:
        raise DamagedElfError("damaged ELF file: it ends before its dynamic section does")
    for tag, value in layout.tag.iter_unpack(section):
        if tag == DT_NULL:
            return
        yield tag, value
    if count > MAX_TAGS:
        raise FactError(f"an ELF file with more than {MAX_TAGS} dynamic tags")


def _file_offset(address: int, segments: list[_Segment]) -> int:
    for segment in segments:
        if segment.type == PT_LOAD and segment.address <= address < segment.address + segment.size:
            return segment.offset + address - segment.address
    raise DamagedElfError(f"address {address:#x} is in no segment")


def _string(stream: IO[bytes], offset: int) -> str:
    text, end, _ = _read(stream, offset, MAX_STRING).partition(b"\0")
    if not end:
        raise DamagedElfError("a string without an end")
    return text.decode("utf-8", "surrogateescape")


def _folders(found: list[tuple[int, str]], wanted: int) -> tuple[str, ...]:
    text = next((text for tag, text in found if tag == wanted), "")
    folders = tuple(folder for folder in text.split(":") if folder)
    if len(folders) > MAX_SEARCH:
        raise FactError(f"an ELF file with a run path of more than {MAX_SEARCH} folders")
    return folders
