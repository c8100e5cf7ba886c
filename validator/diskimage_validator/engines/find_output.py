"""What GNU find(1) tells of an entry, wherever it runs: the letters of types, and the fields of a stat."""

import stat
from collections.abc import Mapping
from typing import Final

from diskimage_validator.engines.base import Stat

TYPES: Final[Mapping[str, int]] = {
    "f": stat.S_IFREG,
    "d": stat.S_IFDIR,
    "l": stat.S_IFLNK,
    "c": stat.S_IFCHR,
    "b": stat.S_IFBLK,
    "p": stat.S_IFIFO,
    "s": stat.S_IFSOCK,
}
"""Letter, as ``-type`` takes it and ``%y`` prints it, to the type's bits in the mode: inode(7)."""
STAT_FIELDS: Final = "%y %m %U %G %s %T@"
"""What ``parse_stat`` reads, for ``-printf``."""


def parse_stat(kind: str, mode: str, uid: str, gid: str, size: str, mtime: str) -> Stat:
    """Return the Stat that STAT_FIELDS tell. Raises KeyError or ValueError for what find does not print.

    ``%T@`` is tv_sec, a point and tv_nsec, also before 1970: what is in front of the point is the second that counts.
    As a float, the last nanoseconds of a second would become the next one.
    """
    return Stat(TYPES[kind] | int(mode, 8), int(uid), int(gid), int(size), int(mtime.partition(".")[0]))
