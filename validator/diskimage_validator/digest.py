"""The sha256 of an image, computed while the image is read.

A report is bound to the bytes it is about, so they are all read: 0.3 s for 430 MB where the processor knows SHA. That
is as long as everything else takes, so a process of its own does it, from as early as possible; a thread of ours would
wait for the interpreter's lock after every piece. Nothing is remembered between runs: whatever a file system says of a
file (size, times, inode), only its bytes tell that they are the same.
"""

import os
import stat
import sys
import weakref
from pathlib import Path
from typing import Final

from diskimage_validator.errors import TargetError
from diskimage_validator.process.beside import Background

NICE: Final = 14
"""How much the digest steps back, by nice(2): nobody waits for it before all else is done, and two processors have more
to do until then."""
_PROGRAM: Final = "import hashlib, sys; print(hashlib.file_digest(sys.stdin.buffer.raw, 'sha256').hexdigest())"


class Digest:
    """The sha256 of the regular file at ``path``: begun now, waited for when it is asked for.

    Its process ends when nobody has it any more, at the latest.
    """

    def __init__(self, path: Path) -> None:
        """Begin. Raises OSError if the file cannot be opened, EngineError if no process can be started."""
        self.path = path
        self._value = ""
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._state = self._now()
            self._process = Background([sys.executable, "-I", "-S", "-c", _PROGRAM], stdin=self._file, nice=NICE)
        except BaseException:
            os.close(self._file)
            raise
        self._end = weakref.finalize(self, _end, self._process, self._file)

    def result(self) -> str:
        """Return the digest in lower-case hex. Raises TargetError if the file was written to since the beginning."""
        if not self._value:
            self._process.hurry()
            value = self._process.result().strip()
            if self._now() != self._state:
                raise TargetError(f"{self.path}: the file changed while it was read", "validate it when it is complete")
            self._value = value
            self.stop()
        return self._value

    def stop(self) -> None:
        """Give up. Calling it twice is harmless."""
        self._end()

    def _now(self) -> tuple[int, int]:
        found = os.fstat(self._file)
        return found.st_size, found.st_mtime_ns


def _end(process: Background, file: int) -> None:
    process.stop()
    os.close(file)


_begun: dict[Path, Digest] = {}


def begin(path: Path) -> bool:
    """Begin the digest that ``digest_of`` will be asked for soon, if ``path`` is a regular file that can be read.

    Return whether it is. Whoever reads the file will say what is wrong with it.
    """
    try:
        path = path.resolve(strict=True)
        if stat.S_ISREG(path.stat().st_mode):
            _begun[path] = Digest(path)
            return True
    except (OSError, RuntimeError, ValueError):  # links in a circle, a zero byte
        pass
    return False


def digest_of(path: Path) -> Digest:
    """Return the digest of the regular file at ``path``, a real path; the one that was begun, if there is one."""
    return _begun.pop(path, None) or Digest(path)
