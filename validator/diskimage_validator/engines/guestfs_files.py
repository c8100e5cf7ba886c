"""The files of what an appliance has mounted: one at a time, or all entries at once.

What was read is remembered, because every question costs a round trip. Nothing but this module mounts or unmounts while
something is remembered, or ``forget`` is called.
"""

import base64
import binascii
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from diskimage_validator.engines import appliance_shell
from diskimage_validator.engines.base import Stat
from diskimage_validator.engines.listing import SYSROOT, Listing, fetch_listing
from diskimage_validator.engines.read_ahead import read_ahead
from diskimage_validator.errors import EngineError

SECTION: Final = 1024 * 1024
"""Bytes per pread call: a message of the appliance's protocol is limited to 4 MiB (guestfs-internals(1))."""
SMALL: Final = 64 * 1024
MAX_REMEMBERED: Final = 32 * 1024 * 1024
"""Bytes. What is read in parts of SMALL bytes at most is remembered: facts read units and certificates twice."""


class GuestfsFiles:
    """Read-only view of what ``handle`` has mounted. Paths are real; it raises EngineError for all that fails."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self.forget()

    def forget(self) -> None:
        """Forget what was read, because something else is mounted now."""
        self._stats: dict[str, Stat | None] = {}
        self._links: dict[str, str] = {}
        self._parts: dict[tuple[str, int, int], bytes] = {}
        self._remembered = 0
        self._listing: Listing | None = None
        self._is_listed = False

    def load_all(self) -> bool:
        """Have all entries at hand, and return whether they are: not of a tree that is damaged, or very large."""
        if not self._is_listed:
            self._is_listed = True
            read_ahead(self._handle)
            self._listing = fetch_listing(self._handle)
        return self._listing is not None

    def lstat(self, path: str) -> Stat | None:
        """Return the entry's lstat, None if there is none."""
        if self._listing is None and not _is_utf8(path):
            self._need_all(path)
        if self._listing is not None:
            return self._listing.stats.get(path)
        if path not in self._stats:
            self._stats[path] = self._fetch_stat(path)
        return self._stats[path]

    def _fetch_stat(self, path: str) -> Stat | None:
        if path == "/":
            with engine_errors(path):
                return _stat(self._handle.lstatns("/"))
        folder, name = posixpath.split(path)
        parent = self.lstat(folder)
        if parent is None or not parent.is_dir:
            return None
        # lstatnslist marks a missing entry with inode -1, where lstatns would raise an error without its errno.
        with engine_errors(path):
            (entry,) = self._handle.lstatnslist(folder, [name])
        return None if entry["st_ino"] == -1 else _stat(entry)

    def names(self, path: str) -> list[str]:
        """Return the names in a folder."""
        if self._listing is None:
            try:
                with engine_errors(path):
                    return [str(name) for name in self._handle.ls(path)]
            except UnicodeError:
                self._need_all(path)
        return [name for name, _ in self.scan(path)]

    def scan(self, path: str) -> list[tuple[str, Stat]]:
        """Return name and lstat of what is in a folder."""
        names = self.names(path) if self._listing is None else []
        if self._listing is not None:
            return self._listing.folders.get(path, [])
        with engine_errors(path):
            entries = self._handle.lstatnslist(path, names)
        found = [(name, _stat(entry)) for name, entry in zip(names, entries, strict=True) if entry["st_ino"] != -1]
        self._stats.update((posixpath.join(path, name), entry) for name, entry in found)
        return found

    def readlink(self, path: str) -> str:
        """Return the text of a link."""
        if self._listing is None and path not in self._links:
            # One link costs as much as a list of them: whoever asks for one asks for its neighbours next.
            folder = posixpath.dirname(path)
            names = [name for name, entry in self.scan(folder) if entry.is_link]
            try:
                self._links |= self._readlinks(folder, names)
            except UnicodeError:
                self._need_all(path)
        return self._listing.links[path] if self._listing is not None else self._links[path]

    def _readlinks(self, folder: str, names: list[str]) -> dict[str, str]:
        with engine_errors(folder):
            texts = self._handle.readlinklist(folder, names)
        return {posixpath.join(folder, name): str(text) for name, text in zip(names, texts, strict=True)}

    def read(self, path: str, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset`` on."""
        part = (path, offset, size)
        if part in self._parts:
            return self._parts[part]
        content = b"".join(self._sections(path, offset, size))
        if size <= SMALL and self._remembered + len(content) <= MAX_REMEMBERED:
            self._parts[part] = content
            self._remembered += len(content)
        return content

    def _sections(self, path: str, offset: int, size: int) -> Iterator[bytes]:
        pread = self._handle.pread if _is_utf8(path) else self._pread_bytes
        with engine_errors(path):
            while size > 0:
                section: bytes = pread(path, min(size, SECTION), offset)
                if not section:
                    break
                yield section
                offset += len(section)
                size -= len(section)

    def _pread_bytes(self, path: str, size: int, offset: int) -> bytes:
        """As libguestfs' pread does; but its Python binding takes no path that is not UTF-8."""
        name = base64.b64encode(SYSROOT.encode() + path.encode("utf-8", "surrogateescape") + b"\0").decode()
        reader = f"dd if={{}} bs={SECTION} iflag=skip_bytes,count_bytes skip={offset} count={size} status=none"
        text = appliance_shell.run(
            self._handle, f"printf %s {name} | base64 -d | xargs -0 -I {{}} {reader} | base64 -w0"
        )
        try:
            return base64.b64decode(text or "", validate=True) if text is not None else _unreadable(path)
        except binascii.Error:
            return _unreadable(path)

    def _need_all(self, path: str) -> None:
        """Have all entries at hand, because this one cannot be asked for alone."""
        if not self.load_all():
            raise EngineError(f"libguestfs: {path}: a name that is not UTF-8")


def _unreadable(path: str) -> bytes:
    raise EngineError(f"libguestfs: {path}: a name that is not UTF-8, and the appliance cannot read the file")


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _stat(entry: dict[str, Any]) -> Stat:
    return Stat(
        mode=int(entry["st_mode"]),
        uid=int(entry["st_uid"]),
        gid=int(entry["st_gid"]),
        size=int(entry["st_size"]),
        mtime=int(entry["st_mtime_sec"]),
    )


@contextmanager
def engine_errors(subject: str) -> Iterator[None]:
    """Turn the binding's errors, RuntimeError, into EngineError."""
    try:
        yield
    except RuntimeError as error:
        raise EngineError(f"libguestfs: {subject}: {error}") from error
