"""Run disk-image-create: its environment, its log, its phases, its end.

diskimage-builder cleans up after itself unless it is killed at the wrong moment. So each build gets a temporary folder
of its own, and whatever is still mounted from it or attached to a file in it when the build has ended is released.
"""

import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from airgap_image_factory.block_device.sweep import sweep, unmount_below
from airgap_image_factory.errors import BuildError
from diskimage_validator.process import run

PHASES: Final = {
    "root": "bootstrapping the root file system",
    "extra-data": "copying data from the host",
    "pre-install": "preparing the package manager",
    "install": "installing packages",
    "post-install": "configuring the image",
    "post-root": "finishing the root file system",
    "block-device": "making partitions and file systems",
    "finalise": "installing the boot loader",
    "cleanup": "cleaning up the image",
}
"""diskimage-builder's phases, in words. Both log lines that start one name the hook folder."""

_HOOKS: Final = re.compile(r"Running hooks from \S+/([a-z-]+)\.d$|dib-run-parts Running \S+/([a-z-]+)\.d/\S+$")
_CONVERT: Final = "Converting image using qemu-img convert"
_TRACE: Final = re.compile(r"^(\d{4}-\d\d-\d\d \S+ \| )?\++ ")
_REASON: Final = re.compile(r"^(\d{4}-\d\d-\d\d \S+ \| )?ERROR: ")
GRACE: Final = 90.0
"""Seconds that diskimage-builder gets to clean up after it was told to stop."""
DRAIN: Final = 2.0
"""Seconds that the last lines may take to arrive when diskimage-builder's shell has ended: they go through a filter."""
TAIL: Final = 15


@dataclass(frozen=True)
class Build:
    """What to build. ``output`` is the image without its suffix; ``environment`` is added to this process' own."""

    elements: Sequence[str]
    output: Path
    environment: Mapping[str, str]
    log: Path


def disk_image_create(build: Build, *, progress: Callable[[str], None], tick: Callable[[], None]) -> None:
    """Build ``<output>.qcow2`` with disk-image-create and log all that it says to ``build.log``.

    ``progress`` is told each phase; ``tick`` is called on every line of output. Raises BuildError with the last telling
    lines if the build fails. On every path, also on SIGINT and SIGTERM, all processes are ended and no mount and no
    loop device of the build is left.
    """
    with tempfile.TemporaryDirectory(prefix="airgap-build-", ignore_cleanup_errors=True) as scratch:
        command = [program(), "-t", "qcow2", "--qemu-img-options", "compression_type=zstd"]
        command += ["-o", str(build.output), *build.elements]
        environment = {**os.environ, **build.environment, "TMP_DIR": scratch, "TMPDIR": scratch, "PATH": search_path()}
        try:
            with build.log.open("w") as log, _stop_on_sigterm():

                def take(line: str) -> None:
                    log.write(line)
                    if phase := phase_of(line.rstrip("\n")):
                        progress(phase)
                    tick()

                status = run_dib(command, environment, take)
        finally:
            sweep(Path(scratch))
            unmount_below(Path(scratch))
    if status != 0:
        raise BuildError(f"disk-image-create ended with status {status}. The end of its log:\n{tail(build.log)}")


def tail(log: Path, lines: int = TAIL) -> str:
    """Return the telling lines of a build log, indented: what elements call an ERROR, and the last ``lines``.

    Shell traces are left out. An element's reason often stands far from the end: the clean-up comes after it.
    """
    telling = [line for line in log.read_text(errors="replace").splitlines() if line and not _TRACE.match(line)]
    reasons = [line for line in telling[:-lines] if _REASON.search(line)]
    return "\n".join(f"    {line}" for line in [*reasons[-lines:], *telling[-lines:]])


def phase_of(line: str) -> str | None:
    """Return the phase that a line of diskimage-builder's output begins, in words, or None."""
    if line.endswith(_CONVERT):
        return "converting to qcow2"
    found = _HOOKS.search(line)
    return PHASES.get(found.group(1) or found.group(2)) if found else None


def check_sudo() -> None:
    """Make sure that sudo works and says nothing: diskimage-builder takes all that it prints for a command's output.

    Raises BuildError with what it says.
    """
    done = run(["sudo", "-n", "true"], timeout=GRACE)
    if done.status != 0:
        raise BuildError(f"sudo does not work: {done.stderr.strip()}", "diskimage-builder needs it without a password")
    if said := (done.stdout + done.stderr).strip():
        raise BuildError(
            f"sudo prints a message, which diskimage-builder would take for a command's output: {said}",
            "mend its cause first; 'unable to resolve host' wants the host's name in /etc/hosts",
        )


def program() -> str:
    """Return disk-image-create: the one of this Python environment first."""
    found = shutil.which("disk-image-create", path=search_path())
    if found is None:
        raise BuildError("disk-image-create is not installed", "pip install airgap-image-factory[build]")
    return found


def search_path() -> str:
    """Return a PATH on which this environment comes first, and the system's administration tools come too."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def run_dib(command: Sequence[str], environment: Mapping[str, str], take: Callable[[str], None]) -> int:
    """Run ``command``, give every line of its output to ``take`` as it comes, and return its exit status.

    If this is interrupted, or ``take`` raises, diskimage-builder is ended: first by a SIGTERM, after which it cleans up
    itself, as it does too when this thread dies (PR_SET_PDEATHSIG, prctl(2)); then by force.
    """
    # A session of its own: a Ctrl-C then reaches diskimage-builder once, from here, and with all of its children.
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig=TERM", "--", *command],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    output = Output(process)
    try:
        output.relay(take)
        return process.wait()
    except BaseException:
        _end(process, output, take)
        raise
    finally:
        output.close()


class Output:
    """The lines of a process and of what it starts, until it has ended.

    Something that a hook left running may hold the pipe open for ever; that is not waited for.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        if process.stdout is None:
            raise ValueError("the process has no pipe")
        self._pipe = process.stdout
        os.set_blocking(self._pipe.fileno(), False)
        self._ended = os.pidfd_open(process.pid)
        self._rest = b""

    def relay(self, take: Callable[[str], None], timeout: float | None = None) -> bool:
        """Give lines to ``take`` until the process has ended, ``timeout`` seconds at most. Return whether it has."""
        deadline = None if timeout is None else time.monotonic() + timeout
        is_open, drained_by = True, None
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            selector.register(self._ended, selectors.EVENT_READ)
            while is_open or drained_by is None:
                until = min(filter(None, (deadline, drained_by)), default=None)
                ready = selector.select(None if until is None else max(0.0, until - time.monotonic()))
                if not ready:
                    break
                for key, _ in ready:
                    if key.fileobj is self._pipe:
                        is_open = self._read(take)
                        if not is_open:
                            selector.unregister(self._pipe)
                    else:
                        drained_by = time.monotonic() + DRAIN
                        selector.unregister(self._ended)
        if drained_by is not None and self._rest:
            take(self._rest.decode(errors="replace"))
            self._rest = b""
        return drained_by is not None

    def _read(self, take: Callable[[str], None]) -> bool:
        data = self._pipe.read(1 << 16)
        *lines, self._rest = (self._rest + (data or b"")).split(b"\n")
        for line in lines:
            take(line.decode(errors="replace") + "\n")
        return bool(data)

    def close(self) -> None:
        """Give the descriptors back."""
        self._pipe.close()
        os.close(self._ended)


def _end(process: "subprocess.Popen[bytes]", output: Output, take: Callable[[str], None]) -> None:
    """End the build: first ask diskimage-builder's shell, which then cleans up itself; then by force, everything.

    The shell alone is asked: a signal to the whole group ends its output filter too, and the clean-up with it.
    """

    def still_take(line: str) -> None:
        with suppress(Exception, SystemExit):
            take(line)

    for send, signum in ((os.kill, signal.SIGTERM), (os.killpg, signal.SIGKILL)):
        with suppress(ProcessLookupError):
            send(process.pid, signum)
        if output.relay(still_take, GRACE):
            process.wait()
            return


@contextmanager
def _stop_on_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that nothing is left behind."""

    def stop(signum: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + signum)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
