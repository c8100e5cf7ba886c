"""All entries of the file systems that an appliance has mounted, from one run of find(1) there.

One folder at a time is two calls for each of some thousand folders, ten seconds without KVM; this is one to two. And
find gives names as they are, where libguestfs' Python binding raises UnicodeDecodeError for one that is not UTF-8.

find takes an entry's type from the folder (``d_type``, readdir(3)) where the file system has it there, and so does not
enter a folder that a tampered file system calls a file. A kernel would. So both types are asked for, and where they do
not agree there is no listing: the engine then looks at every folder itself, as slowly as it takes.
"""

import posixpath
from dataclasses import field
from typing import Any, Final

from diskimage_validator.engines import appliance_shell
from diskimage_validator.engines.base import PATH_MAX, Stat
from diskimage_validator.engines.find_output import STAT_FIELDS, parse_stat
from diskimage_validator.frozen import dataclass

SYSROOT: Final = "/sysroot"
"""Where the appliance mounts what it is told to mount: guestfsd(8)."""
MAX_BYTES: Final = 64 * 1024 * 1024
"""Bytes of a listing; an entry has about 60. What does not fit is read folder by folder."""
FILE: Final = "/tmp/diskimage-validator-listing"  # noqa: S108 - in the appliance, where nobody else is
TIMEOUT: Final = 600
"""Seconds that the listing may take. The largest that fits took a tenth of that without KVM."""
END: Final = b"end"
_FIELDS: Final = rf"%d {STAT_FIELDS} %f\0%l\0"
_FIND: Final = rf"timeout {TIMEOUT} find {SYSROOT} -noleaf \( -type d -printf 'd {_FIELDS}' -o -printf '- {_FIELDS}' \)"
COMMAND: Final = f"{{ {_FIND} && printf {END.decode()}; }} 2>/dev/null | head -c {MAX_BYTES} | gzip -1 >{FILE}"
"""``end`` is only there if find had nothing to complain about."""


@dataclass
class Listing:
    """Every entry: ``folders`` has name and lstat of what is in each folder; ``links`` the text of each link."""

    stats: dict[str, Stat] = field(default_factory=dict)
    folders: dict[str, list[tuple[str, Stat]]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)


def fetch_listing(handle: Any) -> Listing | None:
    """Return all entries of everything that is mounted; None if they are not certain, or too many."""
    content = appliance_shell.fetch(handle, FILE, limit=MAX_BYTES, after=COMMAND)
    return None if content is None else parse_listing(content)


def parse_listing(content: bytes) -> Listing | None:
    """Return what COMMAND wrote, None if that is cut off, contradicts itself, or has a path longer than PATH_MAX.

    A record is a line of fields, a zero byte, the text of the link, a zero byte. Folders come before what is in them,
    and ``%d`` is how deep an entry is: 0 for the root itself, whose name is of no interest.
    """
    *records, end = content.split(b"\0")
    if end != END or len(records) % 2 or not records:
        return None
    found = Listing()
    parents: list[str] = []
    try:
        for fields, text in zip(records[::2], records[1::2], strict=True):
            mark, level, *told, name = fields.split(b" ", STAT_FIELDS.count(" ") + 3)
            kind, mode, uid, gid, size, mtime = (word.decode("ascii") for word in told)
            entry = parse_stat(kind, mode, uid, gid, size, mtime)
            depth = int(level)
            if (mark == b"d") != entry.is_dir or not (len(parents) >= depth if depth else not parents):
                return None
            path = _add(found, parents, depth, name.decode("utf-8", "surrogateescape"), entry)
            if path is None:
                return None
            if entry.is_link:
                found.links[path] = text.decode("utf-8", "surrogateescape")
    except (ValueError, KeyError):
        return None
    return found


def _add(found: Listing, parents: list[str], depth: int, name: str, entry: Stat) -> str | None:
    """Add an entry to its folder, and a folder to ``parents``, which leads to it. Return its path, or None."""
    path = posixpath.join(parents[depth - 1], name) if depth else "/"
    if path in found.stats or len(path) > PATH_MAX:
        return None
    found.stats[path] = entry
    if depth:
        found.folders[parents[depth - 1]].append((name, entry))
    del parents[depth:]
    if entry.is_dir:
        parents.append(path)
        found.folders[path] = []
    return path
