"""What kind of program is a file: the ELF header's class and machine, or a script's interpreter line."""

import struct
from typing import Final

from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import decode

HEADER_SIZE: Final = 256
"""Bytes to read: an ELF header has at most 64, an interpreter line at most 256 (BINPRM_BUF_SIZE of Linux)."""

# e_machine (elf.h) with word size and byte order, in the names of uname -m.
_MACHINES: Final = {
    (3, 32, "<"): "i686",
    (21, 64, ">"): "ppc64",
    (21, 64, "<"): "ppc64le",
    (22, 64, ">"): "s390x",
    (40, 32, "<"): "armv7l",
    (62, 64, "<"): "x86_64",
    (62, 32, "<"): "x32",
    (183, 64, "<"): "aarch64",
    (243, 64, "<"): "riscv64",
    (258, 64, "<"): "loongarch64",
}
_PACKAGE_ARCHITECTURES: Final = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "armhf": "armv7l",
    "armv7hl": "armv7l",
    "armv7hnl": "armv7l",
    "i386": "i686",
    "i486": "i686",
    "i586": "i686",
    "loong64": "loongarch64",
    "ppc64el": "ppc64le",
    "x32": "x32",
    "x86_64_v2": "x86_64",
    "x86_64_v3": "x86_64",
    "x86_64_v4": "x86_64",
}


@dataclass(frozen=True)
class Header:
    """``kind`` is ``elf``, ``script`` or ``other``; ``machine`` (as uname -m) for ELF.

    ``interpreter`` and ``argument``, the rest of the line, are for scripts.
    """

    kind: str
    machine: str = ""
    interpreter: str = ""
    argument: str = ""


def parse_header(data: bytes) -> Header:
    """Return what the first ``HEADER_SIZE`` bytes of a file, or fewer, say. Never raises."""
    if data.startswith(b"#!"):
        words = [decode(word) for word in data[2:].split(b"\n", 1)[0].split(None, 1)]
        interpreter, argument = (*words, "", "")[:2]
        return Header("script", interpreter=interpreter, argument=argument.strip())
    if data.startswith(b"\x7fELF") and len(data) >= 20:
        bits = {1: 32, 2: 64}.get(data[4], 0)
        order = {1: "<", 2: ">"}.get(data[5], "<")
        (machine,) = struct.unpack_from(f"{order}H", data, 18)
        return Header("elf", machine=_MACHINES.get((machine, bits, order), f"ELF machine {machine}, {bits} bits"))
    return Header("other")


def package_machine(architecture: str) -> str:
    """Return the name that uname -m has for an architecture of dpkg or rpm; one that we do not know stays as it is."""
    return _PACKAGE_ARCHITECTURES.get(architecture, architecture)
