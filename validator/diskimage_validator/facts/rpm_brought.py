"""What RPM noted of the files that packages brought, as ``rpm -V`` goes by it.

The tags are in ``include/rpm/rpmtag.h``, the bits in ``rpmfiles.h``, ``rpmvf.h`` and ``rpmfi.h``, and which of them
leaves what to be verified is ``rpmVerifyFile()`` in ``lib/verify.c``.
"""

import stat
from collections.abc import Callable, Iterator
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.brought_files import MAX_FILES, Brought, Notes
from diskimage_validator.facts.rpm_database import PUBLIC_KEY, read_headers
from diskimage_validator.facts.rpm_header import ARCH, NAME, Header

STATES: Final = 1029
MODES: Final = 1030
DIGESTS: Final = 1035
LINKS: Final = 1036
FLAGS: Final = 1037
VERIFY: Final = 1045
FOLDER_OF: Final = 1116
BASENAMES: Final = 1117
FOLDERS: Final = 1118
ALGORITHM: Final = 5011

_CONFIGURATION: Final = 1
_MISSING_OK: Final = 1 << 3
_GHOST: Final = 1 << 6
_VERIFY_DIGEST: Final = 1
_VERIFY_LINK: Final = 1 << 2
_ALL: Final = 0xFFFFFFFF
_NORMAL: Final = 0
_NOT_INSTALLED: Final = 2
_NET_SHARED: Final = 3
_ALGORITHMS: Final = {1: "md5", 2: "sha1", 8: "sha256", 9: "sha384", 10: "sha512", 11: "sha224"}
"""Of RFC 9580, which RPM takes its numbers from. No number is MD5, as before RPM 4.6."""


def read_rpm_files(engine: Engine, database: str, wanted: Callable[[str], bool]) -> Notes:
    """Return what the RPM database at the path ``database`` notes of the packages whose names are ``wanted``.

    Raises FactError if it is damaged, or speaks of too many files.
    """
    notes = Notes()
    with read_headers(engine, database) as headers:
        for header in headers:
            name = header.text(NAME)
            if name != PUBLIC_KEY and wanted(name):
                notes.packages += 1
                add_files(header, name, notes)
    return notes


def add_files(header: Header, name: str, notes: Notes) -> None:
    """Add the files of the package ``name`` to ``notes``. Raises FactError if its header contradicts itself."""
    label = f"{name}.{header.text(ARCH)}"
    modes = header.shorts(MODES)
    count = len(modes)
    if count > MAX_FILES:
        raise FactError(f"{name} has {count} files")
    paths = list(_paths(header, count))
    digests, links = header.texts(DIGESTS, count), header.texts(LINKS, count)
    flags, verify = header.numbers(FLAGS) or (0,) * count, header.numbers(VERIFY) or (_ALL,) * count
    states = header.chars(STATES) or (_NORMAL,) * count
    if {len(paths), len(flags), len(verify), len(states), len(digests) or count, len(links) or count} != {count}:
        raise FactError(f"{name} has {count} files, and not of each what it is")
    algorithm = _algorithm(header, name)
    regular = [stat.S_ISREG(mode) for mode in modes]
    if any(regular) and not digests:
        notes.unlisted.append(name)
        return
    for index, path in enumerate(paths):
        if not (regular[index] or stat.S_ISLNK(modes[index])):
            continue
        flag, state = flags[index], states[index]
        if flag & _GHOST or state in (_NOT_INSTALLED, _NET_SHARED):
            notes.left_out += 1
            continue
        # Of a file that another package replaced, or one for another word size, RPM knows only that it has to be there.
        known = state == _NORMAL
        held = known and bool(verify[index] & _VERIFY_DIGEST) and regular[index]
        linked = known and bool(verify[index] & _VERIFY_LINK) and bool(links) and not regular[index]
        notes.add(
            Brought(
                label,
                path,
                path,
                algorithm if held else "",
                digests[index].lower() if held else "",
                links[index] if linked else None,
                configuration=bool(flag & _CONFIGURATION),
                optional=bool(flag & _MISSING_OK),
            )
        )


def _paths(header: Header, count: int) -> Iterator[str]:
    names, folders, places = header.paths(BASENAMES, count), header.paths(FOLDERS, count), header.numbers(FOLDER_OF)
    if len(names) != len(places) or any(place >= len(folders) for place in places):
        raise FactError(f"{header.text(NAME)} has files in folders that it does not name")
    return (folders[place] + name for name, place in zip(names, places, strict=True))


def _algorithm(header: Header, name: str) -> str:
    number = header.number(ALGORITHM)
    if number is None:
        return "md5"
    if number not in _ALGORITHMS:
        raise FactError(f"{name} has digests of a kind that is not known: {number}")
    return _ALGORITHMS[number]
