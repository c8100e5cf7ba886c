"""All files of a node at one moment: find(1) of GNU names them with their stat in one answer, as fast as the disk goes.

Fields end in zero bytes, which no path and no link can hold. A folder that may not be entered is told apart by ``!``;
what find cannot read for any other reason makes the whole answer worthless: half a tree passes for a small one.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import Final

from diskimage_validator.engines.base import Stat
from diskimage_validator.engines.find_output import STAT_FIELDS, parse_stat
from diskimage_validator.errors import EngineError
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import decode

FIELDS: Final = rf"{STAT_FIELDS}\0%p\0%l\0"
FIND_TIMEOUT: Final = 300.0
MAX_OUTPUT: Final = 256 * 1024 * 1024
"""Bytes; a file takes about 100 of them, and 1,000,000 files are the most that anybody asks for."""
_REFUSED: Final = re.compile(rb"find: '([ !#-&(-\[\]-~]+)': Permission denied")
"""A name that find need not quote: without quotes, backslashes, and what is not ASCII."""


@dataclass
class Tree:
    """Path to stat, link to its text, folder to the names in it; ``closed`` are folders that may not be entered."""

    entries: dict[str, Stat] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)


def find_command(empty: Iterable[str]) -> list[str]:
    """Return the find(1) call. ``empty`` are folders that are named, but not entered."""
    command = ["find", "/", "-ignore_readdir_race"]
    for path in empty:
        command += ["-path", path, "-prune", "-printf", f"={FIELDS}", "-o"]
    closed = ["-type", "d", "(", "!", "-readable", "-o", "!", "-executable", ")"]
    return [*command, *closed, "-prune", "-printf", f"!{FIELDS}", "-o", "-printf", f"={FIELDS}"]


def parse_find(output: bytes, errors: bytes = b"") -> Tree:
    """Return what ``find_command`` printed on its two outputs, in the C locale.

    Raises EngineError if that is nothing of the kind, or if find could not read something, unless it lost it meanwhile
    or may not read it.
    """
    parts = output.split(b"\0")
    if len(parts) < 4 or len(parts) % 3 != 1 or parts.pop() != b"":
        raise EngineError("find on the node: no list of files")
    tree = Tree(closed=set(_closed(errors)))
    for line, name, target in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        path = name.decode("utf-8", "surrogateescape")
        try:
            kind, mode, uid, gid, size, mtime = line[1:].decode("ascii").split(" ")
            entry = parse_stat(kind, mode, uid, gid, size, mtime)
        except (ValueError, KeyError) as error:
            raise EngineError("find on the node: a line that is not understood") from error
        tree.entries[path] = entry
        if entry.is_link:
            tree.links[path] = target.decode("utf-8", "surrogateescape")
        if line.startswith(b"!"):
            tree.closed.add(path)
        if path != "/":
            tree.names.setdefault(posixpath.dirname(path), []).append(posixpath.basename(path))
    if "/" not in tree.entries:
        raise EngineError("find on the node: no list of files")
    return tree


def _closed(errors: bytes) -> Iterator[str]:
    """Yield the folders that find may not read though access(2) allows it: of a process in a /proc, for instance."""
    for line in errors.splitlines():
        if line.endswith(b": No such file or directory"):
            continue
        refused = _REFUSED.fullmatch(line)
        if refused is None:
            raise EngineError(f"find on the node: {decode(line)}")
        yield refused[1].decode("ascii")
