"""Where dynamic loaders look for libraries besides the paths in the ELF files: ld.so(8), ldconfig(8), musl's manual."""

import struct
from dataclasses import field
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import EntryNotFoundError
from diskimage_validator.facts.base import FactError
from diskimage_validator.frozen import dataclass

CACHE: Final = "/etc/ld.so.cache"
MAX_CACHE_SIZE: Final = 16 * 1024 * 1024
MAX_ENTRIES: Final = 20_000
MAX_NAME: Final = 1_024
MAX_PATH_FILE_SIZE: Final = 64 * 1024
_MAGIC: Final = b"glibc-ld.so.cache1.1"
_HEADER_SIZE: Final = 48
_ENTRY: Final = "iIIIQ"
"""``struct file_entry_new`` of glibc's dl-cache.h: flags, offsets of name and path, OS version, capabilities."""
_MUSL_BUILTIN: Final = ("c", "pthread", "rt", "m", "dl", "util", "xnet")
"""musl's loader is all of these libraries itself: ``reserved`` in its ldso/dynlink.c."""
_MUSL_FOLDERS: Final = ("/lib", "/usr/local/lib", "/usr/lib")
_TRIPLETS: Final = {
    "aarch64": "aarch64-linux-gnu",
    "armv7l": "arm-linux-gnueabihf",
    "i686": "i386-linux-gnu",
    "loongarch64": "loongarch64-linux-gnu",
    "ppc64le": "powerpc64le-linux-gnu",
    "riscv64": "riscv64-linux-gnu",
    "s390x": "s390x-linux-gnu",
    "x32": "x86_64-linux-gnux32",
    "x86_64": "x86_64-linux-gnu",
}
"""Debian's multiarch folders, which its loader looks into without being told."""


@dataclass(frozen=True)
class Search:
    """What a loader does after the paths in the ELF files.

    ``cache``: name to paths; ``folders``: looked into after it; ``builtin``: names that the loader is itself, as
    prefixes; ``inherits_runpath``: whether RUNPATH works for libraries of libraries too.
    """

    folders: tuple[str, ...]
    cache: dict[str, list[str]] = field(default_factory=dict)
    builtin: tuple[str, ...] = ()
    inherits_runpath: bool = False

    def candidates(self, name: str) -> list[str]:
        """Return the paths at which a library of that name is looked for, in order."""
        return [*self.cache.get(name, []), *(f"{folder}/{name}" for folder in self.folders)]

    def is_builtin(self, name: str) -> bool:
        """Whether the loader itself is that library."""
        return name.startswith(self.builtin)


def default_folders(machine: str) -> tuple[str, ...]:
    """Return the folders that glibc's loader looks into without a cache, of all distributions together."""
    triplet = _TRIPLETS.get(machine)
    multiarch = (f"/lib/{triplet}", f"/usr/lib/{triplet}") if triplet else ()
    return (*multiarch, "/lib64", "/usr/lib64", "/lib", "/usr/lib")


def expand(folder: str, origin: str, machine: str) -> list[str]:
    """Return what ``$ORIGIN`` and ``$LIB`` in ``folder`` may stand for; ``origin`` is the folder of the ELF file."""
    folder = folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)
    if "$LIB" not in folder and "${LIB}" not in folder:
        return [folder]
    libraries = ["lib64", "lib", *([f"lib/{_TRIPLETS[machine]}"] if machine in _TRIPLETS else [])]
    return [folder.replace("${LIB}", library).replace("$LIB", library) for library in libraries]


def glibc_search(engine: Engine, machine: str) -> Search:
    """Return how glibc's loader looks: the cache that ldconfig made, then the default folders.

    ``/etc/ld.so.conf`` is ldconfig's business; the loader never reads it. Raises FactError for a damaged cache.
    """
    try:
        data = engine.read(CACHE, limit=MAX_CACHE_SIZE)
    except EntryNotFoundError:
        data = b""
    return Search(default_folders(machine), parse_cache(data) if data else {})


def musl_search(engine: Engine, machine: str) -> Search:
    """Return how musl's loader looks: in the folders that its path file lists, or else in three of its own."""
    architecture = {"i686": "i386", "armv7l": "armhf", "ppc64le": "powerpc64le"}.get(machine, machine)
    try:
        data = engine.read(f"/etc/ld-musl-{architecture}.path", limit=MAX_PATH_FILE_SIZE)
    except EntryNotFoundError:
        folders: tuple[str, ...] = _MUSL_FOLDERS
    else:
        text = data.decode("utf-8", "surrogateescape").replace("\n", ":")
        folders = tuple(folder for folder in text.split(":") if folder.startswith("/"))
    builtin = tuple(f"lib{name}." for name in _MUSL_BUILTIN)
    return Search(folders, builtin=builtin, inherits_runpath=True)


def parse_cache(data: bytes) -> dict[str, list[str]]:
    """Return name to paths, in their order, of the content of ``/etc/ld.so.cache``.

    Reads the format of glibc 2.2 and later, also behind the older one. Raises FactError for anything else.
    """
    start = data.find(_MAGIC)
    if start < 0 or len(data) < start + _HEADER_SIZE:
        raise FactError(f"{CACHE} is no cache of glibc's ldconfig", "run ldconfig in the image")
    data = data[start:]
    order = {2: "<", 3: ">"}.get(data[28] & 3, "<")  # set by ldconfig since glibc 2.33; before, that of the machine
    (count,) = struct.unpack_from(f"{order}I", data, 20)
    entry = struct.Struct(order + _ENTRY)
    if count > MAX_ENTRIES:
        raise FactError(f"{CACHE} has more than {MAX_ENTRIES} entries")
    if _HEADER_SIZE + count * entry.size > len(data):
        raise FactError(f"{CACHE} is damaged: {count} entries in {len(data)} bytes", "run ldconfig in the image")
    found: dict[str, list[str]] = {}
    for _, key, value, _, _ in entry.iter_unpack(data[_HEADER_SIZE : _HEADER_SIZE + count * entry.size]):
        found.setdefault(_text(data, key), []).append(_text(data, value))
    return found


def _text(data: bytes, offset: int) -> str:
    end = data.find(b"\0", offset, offset + MAX_NAME)
    if end < 0:
        raise FactError(f"{CACHE} is damaged: a name without an end", "run ldconfig in the image")
    return data[offset:end].decode("utf-8", "surrogateescape")
