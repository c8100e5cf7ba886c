"""The file system as an engine needs it: by path."""

from collections.abc import Callable

from diskimage_validator.engines.base import Stat
from diskimage_validator.engines.direct.ext.content import read_content, read_link
from diskimage_validator.engines.direct.ext.directories import Directories
from diskimage_validator.engines.direct.ext.groups import read_groups
from diskimage_validator.engines.direct.ext.inodes import Inode, Inodes
from diskimage_validator.engines.direct.ext.journal import journal_blocks
from diskimage_validator.engines.direct.ext.runs import Space
from diskimage_validator.engines.direct.ext.superblock import read_superblock
from diskimage_validator.engines.direct.ext.usage import describe
from diskimage_validator.engines.direct.ext.volume import Volume
from diskimage_validator.errors import EntryNotFoundError


class ExtFilesystem:
    """Read-only view of an ext2, ext3 or ext4 file system on a volume of ``size`` bytes.

    ``read`` gets (offset, length) in bytes and returns exactly ``length`` bytes of the volume. A path is absolute
    within the file system, and no component but the last one is a symbolic link; what is not UTF-8 is
    surrogate-escaped. Everything here raises DeclinedError, with the reason, for what cannot be read with certainty.

    ``expect`` is told, in the same way, what ``read`` will be asked for soon, so that it can be on its way.
    """

    def __init__(
        self, read: Callable[[int, int], bytes], size: int, expect: Callable[[int, int], object] | None = None
    ) -> None:
        volume = Volume(read, size, expect)
        superblock = read_superblock(volume)
        groups = read_groups(volume, superblock)
        self._space = Space(volume, superblock)
        self._inodes = Inodes(volume, superblock, groups)
        self._directories = Directories(self._space, self._inodes)
        journal = superblock.journal_inode
        blocks = journal_blocks(self._space, self._inodes.inode(journal, reserved=True)) if journal else 0
        self.info = describe(superblock, groups, blocks)

    def lstat(self, path: str) -> Stat | None:
        """Return the stat of ``path``, None if there is no such entry."""
        number = self._directories.find(path)
        return None if number is None else self._inodes.stat(number)

    def readlink(self, path: str) -> str:
        """Return the text of the symbolic link ``path``."""
        return read_link(self._space, self._inode(path)).decode("utf-8", "surrogateescape")

    def read_file(self, path: str, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes of the regular file ``path`` from ``offset``, fewer at its end."""
        return read_content(self._space, self._inode(path), offset, size)

    def listdir(self, path: str) -> list[str]:
        """Return the names in the directory ``path`` without ``.`` and ``..``, in no order."""
        return self._directories.names(path)

    def scan(self, path: str) -> list[tuple[str, Stat]]:
        """Return name and lstat of every entry of the directory ``path`` without ``.`` and ``..``, in no order."""
        return self._directories.scan(path)

    def _inode(self, path: str) -> Inode:
        number = self._directories.find(path)
        if number is None:
            raise EntryNotFoundError(f"{path}: no such entry")
        return self._inodes.inode(number, known=self._directories.known(number))
