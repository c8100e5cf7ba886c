"""Temporary folders that nobody else enters, and that are removed even if their owner could not do it.

Each has a file ``lock``, on which its owner holds a flock(2) for as long as it lives, however it ends. So a folder of
ours whose lock is free was left by somebody who was killed, and whoever makes the next one removes it. Neither its age
nor its name alone says so: what somebody else called alike, or has another owner, stays.

A thread that is a daemon ends in the middle when the program does, on an interruption for example: so what is still
there at the end of the program is removed then.
"""

import atexit
import errno
import fcntl
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from diskimage_validator.errors import EngineError

PREFIX: Final = "diskimage-validator-"
LOCK: Final = "lock"
_swept: set[str] = set()
"""Folders in which this process has looked for what was left."""


class TemporaryFolder:
    """A folder with mode 0700 in ``parent``, or in ``usual_parent``. ``close`` removes it and all in it.

    Raises EngineError if there can be none.
    """

    def __init__(self, parent: str | None = None) -> None:
        usual = usual_parent()
        parent = parent or usual
        try:
            self._make(parent, usual)
        except OSError as error:
            raise _no_folder(error) from error

    def _make(self, parent: str, usual: str) -> None:
        for place in {parent, usual} - _swept:
            _swept.add(place)
            remove_left_behind(place)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            lock = self._take_lock()
            if lock is not None:
                self._lock = lock
                _open[self] = os.getpid()
                return

    def _take_lock(self) -> int | None:
        """Return the lock. None if somebody took the folder for left behind: it was not locked at once."""
        try:
            lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = os.fstat(lock).st_nlink > 0
        except OSError as error:
            is_ours = error.errno != errno.EWOULDBLOCK  # a file system without locks: then nobody else gets one either
        if is_ours:
            return lock
        os.close(lock)
        return None

    def close(self) -> None:
        """Remove the folder. Calling it twice is harmless."""
        _open.pop(self, None)
        lock, self._lock = self._lock, -1
        if lock >= 0:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def usual_parent() -> str:
    """Return the folder for temporary folders, as tempfile chooses it. Raises EngineError if none can be written to."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError as error:
        raise _no_folder(error) from error


def _no_folder(error: OSError) -> EngineError:
    message = f"no temporary folder can be made: {error.strerror or error}"
    return EngineError(message, "set TMPDIR to a folder that can be written to and has room")


_open: Final[dict[TemporaryFolder, int]] = {}
"""Those that are there, and the processes that made them: what one forks off has no part in them."""


@atexit.register
def _close_all() -> None:
    for folder, owner in list(_open.items()):
        if owner == os.getpid():
            folder.close()


def remove_left_behind(parent: str) -> None:
    """Remove what is in ``parent`` of those of our account who did not live to do it. What cannot be removed stays."""
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX):
                with suppress(OSError):
                    _remove_if_left(entry.path)


def _remove_if_left(path: str) -> None:
    """Remove the folder at ``path`` if its lock is free. Raises OSError if it is not, or no such folder."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(folder)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != 0o700:
            return
        lock = os.open(LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            kept = os.fstat(lock)
            if stat.S_ISREG(kept.st_mode) and kept.st_uid == found.st_uid and kept.st_size == 0:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(lock)
    finally:
        os.close(folder)
