"""What an ELF file asks the dynamic loader for: elf(5), and the gABI's chapter "Program Loading and Dynamic Linking".

Headers are decoded by pyelftools. Its own loops follow counts that the file states, over sections too, which the loader
never looks at; so the loops are here, each with an end.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

from elftools.common.exceptions import ELFError
from elftools.common.utils import struct_parse
from elftools.construct.core import ConstructError
from elftools.elf.elffile import ELFFile

from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.elf import HEADER_SIZE, parse_header
from diskimage_validator.frozen import dataclass

MAX_SEGMENTS: Final = 256
MAX_TAGS: Final = 1_024
MAX_STRING: Final = 4_096
MAX_NEEDED: Final = 500
MAX_SEARCH: Final = 64
"""Folders of one run path."""

_STRINGS: Final = ("DT_NEEDED", "DT_RPATH", "DT_RUNPATH", "DT_SONAME")


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
class _Segment:
    type: str | int
    offset: int
    address: int
    size: int


def parse_dynamic(stream: IO[bytes]) -> Dynamic:
    """Return what the ELF file in ``stream``, which can seek, asks for.

    Raises DamagedElfError if it is none, or one that could not be loaded, FactError if it is over a limit. The number
    of bytes that are read is bounded, whatever the file says.
    """
    stream.seek(0)
    header = parse_header(stream.read(HEADER_SIZE))
    if header.kind != "elf":
        raise DamagedElfError("no ELF file")
    with _damage():
        elf = ELFFile(stream)
        segments = list(_segments(elf, stream))
        found = _strings(elf, stream, segments)
        interpreter = _interpreter(stream, segments)
    return Dynamic(
        machine=header.machine,
        interpreter=interpreter,
        needed=tuple(text for tag, text in found if tag == "DT_NEEDED"),
        soname=next((text for tag, text in found if tag == "DT_SONAME"), ""),
        rpath=_folders(found, "DT_RPATH"),
        runpath=_folders(found, "DT_RUNPATH"),
    )


@contextmanager
def _damage() -> Iterator[None]:
    """Everything that decoding raises for wrong content means one thing."""
    try:
        yield
    except (ELFError, ConstructError, ValueError, OverflowError, KeyError, AttributeError) as error:
        raise DamagedElfError(f"damaged ELF file: {type(error).__name__}: {error}") from error


def _segments(elf: ELFFile, stream: IO[bytes]) -> Iterator[_Segment]:
    count, size, start = elf["e_phnum"], elf["e_phentsize"], elf["e_phoff"]
    if not count or size != elf.structs.Elf_Phdr.sizeof():
        raise DamagedElfError(f"{count} program headers of {size} bytes")
    if count > MAX_SEGMENTS:
        raise FactError(f"an ELF file with more than {MAX_SEGMENTS} program headers")
    for number in range(count):
        header: Any = struct_parse(elf.structs.Elf_Phdr, stream, start + number * size)
        segment = _Segment(header["p_type"], header["p_offset"], header["p_vaddr"], header["p_filesz"])
        if segment.type in ("PT_LOAD", "PT_DYNAMIC", "PT_INTERP") and segment.offset + segment.size > elf.stream_len:
            wanted = segment.offset + segment.size
            raise DamagedElfError(f"truncated ELF file: {elf.stream_len} bytes, but its contents reach up to {wanted}")
        yield segment


def _interpreter(stream: IO[bytes], segments: list[_Segment]) -> str:
    segment = next((segment for segment in segments if segment.type == "PT_INTERP"), None)
    return _string(stream, segment.offset) if segment else ""


def _strings(elf: ELFFile, stream: IO[bytes], segments: list[_Segment]) -> list[tuple[str, str]]:
    """Return (tag, text) of the tags that we read, in their order."""
    dynamic = next((segment for segment in segments if segment.type == "PT_DYNAMIC"), None)
    if dynamic is None:
        return []
    tags = list(_tags(elf, stream, dynamic))
    wanted = [(tag, value) for tag, value in tags if tag in _STRINGS]
    if not wanted:
        return []
    table = next((value for tag, value in tags if tag == "DT_STRTAB"), None)
    if table is None:
        raise DamagedElfError("no string table for the dynamic section")
    start = _file_offset(table, segments)
    if len(wanted) > MAX_NEEDED:
        raise FactError(f"an ELF file that needs more than {MAX_NEEDED} libraries")
    return [(tag, _string(stream, start + value)) for tag, value in wanted]


def _tags(elf: ELFFile, stream: IO[bytes], dynamic: _Segment) -> Iterator[tuple[str, int]]:
    size = elf.structs.Elf_Dyn.sizeof()
    for number in range(dynamic.size // size):
        if number == MAX_TAGS:
            raise FactError(f"an ELF file with more than {MAX_TAGS} dynamic tags")
        entry: Any = struct_parse(elf.structs.Elf_Dyn, stream, dynamic.offset + number * size)
        if entry["d_tag"] == "DT_NULL":
            return
        yield str(entry["d_tag"]), entry["d_val"]


def _file_offset(address: int, segments: list[_Segment]) -> int:
    for segment in segments:
        if segment.type == "PT_LOAD" and segment.address <= address < segment.address + segment.size:
            return segment.offset + address - segment.address
    raise DamagedElfError(f"address {address:#x} is in no segment")


def _string(stream: IO[bytes], offset: int) -> str:
    stream.seek(offset)
    text, end, _ = stream.read(MAX_STRING).partition(b"\0")
    if not end:
        raise DamagedElfError("a string without an end")
    return text.decode("utf-8", "surrogateescape")


def _folders(found: list[tuple[str, str]], wanted: str) -> tuple[str, ...]:
    text = next((text for tag, text in found if tag == wanted), "")
    folders = tuple(folder for folder in text.split(":") if folder)
    if len(folders) > MAX_SEARCH:
        raise FactError(f"an ELF file with a run path of more than {MAX_SEARCH} folders")
    return folders
