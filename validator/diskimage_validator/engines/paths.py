"""From any path to the real one **inside the target**, where no link leads out. What was found is remembered.

Paths are absolute POSIX paths inside the target, as str; bytes that are not UTF-8 are surrogate-escaped (PEP 383).
"""

import posixpath
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from diskimage_validator.engines.description import Stat
from diskimage_validator.errors import TargetError

MAX_LINKS = 40  # the kernel's own limit: path_resolution(7), ELOOP
PATH_MAX = 4096  # linux/limits.h
MAX_KNOWN: Final = 200_000
"""Entries that are remembered; their paths and Stats take about 60 MB."""
MAX_TEXTS: Final = 10_000
"""Links whose text is remembered: 40 MB of them, if all are as long as can be."""


class Paths(ABC):
    """Resolves paths by two primitives, whose ``path`` has no symlink in any parent component."""

    def __init__(self) -> None:
        self._remembered: dict[str, Stat | None] | None = None
        self._resolved: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self._complete = False

    @abstractmethod
    def _lstat(self, path: str) -> Stat | None:
        """Return the entry's stat without following a link, or None if there is no such entry."""

    @abstractmethod
    def _readlink(self, path: str) -> str:
        """Return the text of the symbolic link at ``path``."""

    def _find(self, path: str) -> Stat | None:
        """Return the lstat of ``path``; None, without asking the primitive, for what no file can be called.

        Files of the image name other files, so a path may be anything: a zero byte would end it early, half of a
        surrogate pair (JSON can spell one) has no bytes, and one that is too long would take long to resolve.
        """
        known = self._remembered
        if known is not None and (path in known or self._complete):
            return known.get(path)
        if "\0" in path or len(path) > PATH_MAX:
            return None
        try:
            path.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return None
        found = self._lstat(path)
        if known is not None and len(known) < MAX_KNOWN:
            known[path] = found
        return found

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Ask for no path twice: as long as this lasts, what was found there stays so.

        For whoever asks much about one state of a target, as facts do.
        """
        self._remembered, self._resolved, self._texts = {}, {}, {}
        try:
            yield
        finally:
            self._remembered, self._resolved, self._texts, self._complete = None, {}, {}, False

    def _text(self, path: str) -> str:
        """Return the text of the symbolic link at ``path``: a CA's is asked for by every store that holds it."""
        text = self._texts.get(path)
        if text is None:
            text = self._readlink(path)
            if self._remembered is not None and len(self._texts) < MAX_TEXTS:
                self._texts[path] = text
        return text

    def resolve(self, path: str, *, follow_last: bool = True) -> str:
        """Return the real path of ``path`` inside the target. It need not exist: what is missing stays as written.

        ``..`` never climbs above the target's root, and an absolute link starts at that root again, as under
        ``openat2(RESOLVE_IN_ROOT)``. Raises TargetError after 40 links. What is longer than PATH_MAX stays as written,
        too: nothing can be there.
        """
        if len(path) > PATH_MAX:
            return path
        return self._quickly(path, follow_last=follow_last) or self._step_by_step(path, follow_last=follow_last)

    def _quickly(self, path: str, *, follow_last: bool) -> str | None:
        """Return what ``resolve`` does, or None if that takes a look at every part.

        Most paths share their folder with others, and most links lead to something that is none.
        """
        candidate = self._in_known_folder(path)
        if candidate is None or not follow_last:
            return candidate
        entry = self._find(candidate)
        if entry is None or not entry.is_link:
            return candidate
        text = self._text(candidate)
        behind = self._in_known_folder(text if text.startswith("/") else f"{candidate.rpartition('/')[0]}/{text}")
        entry = None if behind is None else self._find(behind)
        return None if entry is not None and entry.is_link else behind

    def _in_known_folder(self, path: str) -> str | None:
        """Return ``path`` with the real path of its folder, if what comes behind that is a name."""
        folder, _, name = path.rpartition("/")
        if self._remembered is None or name in ("", ".", ".."):
            return None
        real = self._resolved.get(folder)
        if real is None:
            real = self._step_by_step(folder, follow_last=True)
            if len(self._resolved) < MAX_KNOWN:
                self._resolved[folder] = real
        return f"{real}/{name}" if real != "/" else f"/{name}"

    def _step_by_step(self, path: str, *, follow_last: bool) -> str:
        pending = deque(part for part in path.split("/") if part not in ("", "."))
        real = "/"
        links = 0
        while pending:
            part = pending.popleft()
            if part == "..":
                real = posixpath.dirname(real)
                continue
            candidate = f"{real}/{part}" if real != "/" else f"/{part}"
            entry = self._find(candidate) if (pending or follow_last) else None
            if entry is None or not entry.is_link:
                real = candidate
                continue
            links += 1
            if links > MAX_LINKS:
                raise TargetError(f"{path}: more than {MAX_LINKS} symbolic links")
            text = self._text(candidate)
            if text.startswith("/"):
                real = "/"
            pending.extendleft(reversed([part for part in text.split("/") if part not in ("", ".")]))
        return real
