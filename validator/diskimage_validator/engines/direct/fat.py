"""FAT with long names (vfat), which an EFI system partition has: names, dates, content, as the kernel shows them.

It shows them as a mount without options does: everything belongs to root, with the permissions that the umask 022
leaves. Source: the kernel's fs/fat (dir.c, namei_vfat.c, misc.c). Names that are not ASCII are declined, because which
characters they are depends on how the kernel was built.
"""

import calendar
import stat
import struct
from typing import Final

from diskimage_validator.engines.base import Stat
from diskimage_validator.engines.direct.blocks import Read
from diskimage_validator.engines.direct.fat_volume import ENTRY, open_fat
from diskimage_validator.errors import DeclinedError
from diskimage_validator.frozen import dataclass

READ_ONLY, VOLUME, FOLDER, LONG = 0x01, 0x08, 0x10, 0x0F
LOWER_BASE, LOWER_EXTENSION = 0x08, 0x10
DELETED: Final = 0xE5
LAST_PART: Final = 0x40
MAX_PARTS: Final = 20
MAX_FOLDERS: Final = 1_000
"""Folders whose entries are kept."""


@dataclass(frozen=True)
class Node:
    """An entry of a directory, or the root: first cluster, 0 for the root and for what is empty."""

    name: str
    alias: str
    cluster: int
    stat: Stat


class FatFilesystem:
    """Reader of the vfat file system of ``size`` bytes; see FileSystem in storage. Raises DeclinedError when in doubt.

    ``label`` and ``uuid`` are libblkid's; ``total``, ``free`` and ``sector``, the size of one, are bytes.
    """

    def __init__(self, read: Read, size: int) -> None:
        self._volume = open_fat(read, size)
        self.sector = self._volume.sector
        self._folders: dict[str, dict[str, Node]] = {}
        self.label = ""
        self._root = Node("", "", 0, Stat(stat.S_IFDIR | 0o755, 0, 0, len(self._bytes_of_root()), 0))
        self._entries_of("/", self._root)
        serial = self._volume.serial[::-1].hex().upper()
        self.uuid = f"{serial[:4]}-{serial[4:]}" if serial.strip("0") else ""
        self.total = self._volume.clusters * self._volume.cluster_size

    @property
    def free(self) -> int:
        """Bytes that are free."""
        return self._volume.free_clusters * self._volume.cluster_size

    def lstat(self, path: str) -> Stat | None:
        """Return the entry's stat, None if there is none. Names are the same in upper and lower case."""
        found = self._find(path)
        return found.stat if found else None

    def readlink(self, path: str) -> str:
        """Raise DeclinedError: FAT has no links."""
        raise DeclinedError(f"{path}: no link")

    def read_file(self, path: str, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes of the file at ``path``, from ``offset`` on."""
        node = self._find(path)
        if node is None or not node.stat.is_file:
            raise DeclinedError(f"{path}: no file")
        end = min(offset + size, node.stat.size)
        if offset >= end:
            return b""
        step = self._volume.cluster_size
        clusters = self._volume.chain(node.cluster)
        if len(clusters) * step < node.stat.size:
            raise DeclinedError(f"FAT: {path} has less clusters than its size needs")
        data = self._volume.read_clusters(clusters[offset // step : (end - 1) // step + 1])
        return data[offset % step :][: end - offset]

    def listdir(self, path: str) -> list[str]:
        """Return the names in the directory at ``path``."""
        return [name for name, _ in self.scan(path)]

    def scan(self, path: str) -> list[tuple[str, Stat]]:
        """Return name and stat of all that is in the directory at ``path``."""
        node = self._find(path)
        if node is None or not node.stat.is_dir:
            raise DeclinedError(f"{path}: no folder")
        return [(one.name, one.stat) for one in dict.fromkeys(self._entries_of(path, node).values())]

    def _find(self, path: str) -> Node | None:
        node, here, above = self._root, "/", set[int]()
        for part in path.strip("/").split("/") if path != "/" else ():
            if not node.stat.is_dir:
                return None
            found = self._entries_of(here, node).get(part.rstrip(".").lower())
            if found is None:
                return None
            if found.stat.is_dir and found.cluster in above:
                raise DeclinedError("FAT: a folder is inside itself")
            above.add(found.cluster)
            node, here = found, f"{here}{part}/"
        return node

    def _bytes_of_root(self) -> bytes:
        volume = self._volume
        if volume.bits == 32:
            return volume.read_clusters(volume.chain(volume.root_cluster))
        return volume.read(volume.root_start, volume.root_entries)

    def _entries_of(self, path: str, node: Node) -> dict[str, Node]:
        """Return the nodes in a folder by both of their names, in lower case."""
        key = path.strip("/").lower()
        if key not in self._folders:
            if len(self._folders) >= MAX_FOLDERS:
                self._folders.clear()
            data = self._volume.read_clusters(self._volume.chain(node.cluster)) if key else self._bytes_of_root()
            nodes = self._parse(data, is_root=not key)
            found = {one.name.lower(): one for one in nodes}
            for one in nodes:
                if found.setdefault(one.alias.lower(), one) is not one:
                    raise DeclinedError("FAT: two entries of the same name")
            if len({id(one) for one in found.values()}) != len(nodes):
                raise DeclinedError("FAT: two entries of the same name")
            self._folders[key] = found
        return self._folders[key]

    def _parse(self, data: bytes, *, is_root: bool) -> list[Node]:
        nodes: list[Node] = []
        parts: list[bytes] = []
        for start in range(0, len(data), ENTRY):
            entry = data[start : start + ENTRY]
            attributes = entry[11]
            if entry[0] == 0:
                break
            if entry[0] == DELETED:
                parts = []
            elif attributes & LONG == LONG:
                parts = [entry] if entry[0] & LAST_PART else [*parts, entry]
                if len(parts) > MAX_PARTS:
                    raise DeclinedError("FAT: a long name without an end")
            elif attributes & VOLUME:
                if is_root and not self.label:
                    self.label = _ascii(entry[:11]).rstrip()
                parts = []
            else:
                if entry[:2] not in (b". ", b"..") or is_root:
                    nodes.append(self._node(entry, parts))
                parts = []
        return nodes

    def _node(self, entry: bytes, parts: list[bytes]) -> Node:
        time, date, low, size = struct.unpack_from("<HHHI", entry, 22)
        (high,) = struct.unpack_from("<H", entry, 20)
        cluster = low | (high << 16 if self._volume.bits == 32 else 0)
        alias = _short_name(entry)
        mode = 0o555 if entry[11] & READ_ONLY and not entry[11] & FOLDER else 0o755
        if entry[11] & FOLDER:
            mode, size = stat.S_IFDIR | mode, len(self._volume.chain(cluster)) * self._volume.cluster_size
        else:
            mode |= stat.S_IFREG
        name = _long_name(parts, entry[:11]) if parts else alias
        if "/" in name or name in ("", ".", ".."):
            raise DeclinedError("FAT: a name that no file can have")
        return Node(name, alias, cluster, Stat(mode, 0, 0, size, _seconds(date, time)))


def _short_name(entry: bytes) -> str:
    base, extension = _ascii(entry[:8]).rstrip(" "), _ascii(entry[8:11]).rstrip(" ")
    base = base.lower() if entry[12] & LOWER_BASE else base
    extension = extension.lower() if entry[12] & LOWER_EXTENSION else extension
    return f"{base}.{extension}" if extension else base


def _long_name(parts: list[bytes], short: bytes) -> str:
    """Return the name in ``parts``, which come last part first, each with the checksum of the short name."""
    checksum = 0
    for byte in short:
        checksum = ((checksum & 1) << 7 | checksum >> 1) + byte & 0xFF
    order = [part[0] & ~LAST_PART for part in parts]
    if (
        order != list(range(len(parts), 0, -1))
        or not parts[0][0] & LAST_PART
        or {one[13] for one in parts} != {checksum}
    ):
        raise DeclinedError("FAT: a long name is damaged")
    data = b"".join(part[1:11] + part[14:26] + part[28:32] for part in reversed(parts))
    units = struct.unpack(f"<{len(data) // 2}H", data)
    name = units[: units.index(0)] if 0 in units else units
    if any(not 0x20 <= unit < 0x7F for unit in name):
        raise DeclinedError("FAT: a name that is not ASCII")
    return "".join(map(chr, name))


def _ascii(data: bytes) -> str:
    if any(not 0x20 <= byte < 0x7F for byte in data):
        raise DeclinedError("FAT: a name that is not ASCII")
    return data.decode("ascii")


def _seconds(date: int, time: int) -> int:
    """Return the time of an entry in seconds since 1970; libguestfs' appliance takes it for UTC."""
    year, month, day = 1980 + (date >> 9), max(1, date >> 5 & 0xF), max(1, date & 0x1F)
    if month > 12 or time >> 11 > 23 or (time >> 5 & 0x3F) > 59 or (time & 0x1F) > 29:
        raise DeclinedError("FAT: a date that does not exist")
    return calendar.timegm((year, month, day, time >> 11, time >> 5 & 0x3F, (time & 0x1F) * 2))
