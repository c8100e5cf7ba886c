"""The terminal side of the command line: messages, progress, and files that are complete or not there."""

import contextlib
import errno
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TextIO

import click

from diskimage_validator.errors import UsageError, ValidatorError
from diskimage_validator.printable import printable

if TYPE_CHECKING:  # rich is imported when there is progress to be shown: most runs are over before
    from rich.status import Status

PATIENCE: Final = 2.0
"""Seconds that a step may take before a person is told about it."""


def print_error(error: Exception) -> None:
    """Write ``error: ...`` and ``hint: ...`` on stderr. Line breaks of the message stay."""
    if not isinstance(error, ValidatorError):
        hint = "this is a bug: run it again with DISKIMAGE_VALIDATOR_DEBUG=1 and report the traceback"
        error = ValidatorError(f"internal error: {type(error).__name__}: {error}", hint)
    for line in [f"error: {error.message}", *([f"hint: {error.hint}"] if error.hint else [])]:
        click.echo("\n".join(printable(part) for part in line.split("\n")), err=True)


class Progress:
    """Tells on stderr what is being done, once it takes longer than ``PATIENCE``. Call it with a few words per step.

    On a terminal this is one moving line that goes away; elsewhere, plain lines.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._status: Status | None = None
        self._step = ""
        """What nobody was told about yet."""
        self._due = 0.0
        self._watcher: threading.Thread | None = None
        self._changed = threading.Condition()

    def __call__(self, step: str) -> None:
        """Begin the next step."""
        if self._quiet:
            return
        with self._changed:
            if self._status is not None:
                self._status.update(f"{printable(step)} ...")
                return
            if not self._step:
                self._changed.notify()
            self._step, self._due = printable(step), time.monotonic() + PATIENCE
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, daemon=True)
                self._watcher.start()

    def _watch(self) -> None:
        """Show a step when it is due. One thread does for all steps: most are over long before."""
        with self._changed:
            while self._watcher is threading.current_thread():
                left = self._due - time.monotonic()
                if self._step and left <= 0:
                    self._show(self._step)
                    self._step = ""
                self._changed.wait(left if self._step else None)

    def _show(self, step: str) -> None:
        from rich.console import Console

        console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        if console.is_terminal:
            self._status = console.status(f"{step} ...")
            self._status.start()
        else:
            console.print(f"{step} ...", soft_wrap=True)

    def stop(self) -> None:
        """Take the line away, because something else is written now. A next step begins a new one."""
        with self._changed:
            watcher, self._watcher, self._step = self._watcher, None, ""
            self._changed.notify()
        if watcher is not None:
            watcher.join()
        if self._status is not None:
            self._status.stop()
            self._status = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@contextlib.contextmanager
def output(path: str | None) -> Iterator[TextIO]:
    """Give a stream for a result: stdout, or the file at ``path``, which is written aside and renamed when complete.

    A device or a pipe is written directly.

    A reader of stdout that has seen enough (``| head``) is no error: the exit status still tells the verdict.
    """
    if path is None:
        try:
            yield sys.stdout
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    with _as_usage_error(path):
        if _is_special(Path(path)):
            with Path(path).open("w", encoding="utf-8", errors="backslashreplace") as file:
                yield file
        else:
            with _aside(Path(path)) as file:
                yield file


def check_writable(path: str) -> None:
    """Raise UsageError if ``output`` could not write ``path``. Nothing is left there."""
    with _as_usage_error(path):
        target = Path(path)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not _is_special(target):
            with tempfile.TemporaryFile(dir=target.parent):
                pass


@contextlib.contextmanager
def _as_usage_error(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error


def _is_special(path: Path) -> bool:
    """Whether ``path`` is a device or a pipe, such as /dev/null: what must not be replaced by a file."""
    return path.exists() and not path.is_file() and not path.is_dir()


@contextlib.contextmanager
def _aside(target: Path) -> Iterator[TextIO]:
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    aside = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            yield file
        aside.chmod(0o666 & ~_umask())
        aside.replace(target)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def guarded(command: Callable[[], int]) -> int:
    """Run ``command`` and return its exit status; whatever it raises becomes a message and a status, no traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no UTF-8
    try:
        return command()
    except ValidatorError as error:
        print_error(error)
        return error.exit_status
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if os.environ.get("DISKIMAGE_VALIDATOR_DEBUG"):
            raise
        print_error(error)
        return 3
