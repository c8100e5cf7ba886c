"""Run disk-image-create: its environment, its log, its phases, its end.

diskimage-builder cleans up after itself unless it is killed at the wrong moment. So each build gets a temporary folder
of its own, and whatever is still mounted from it or attached to a file in it when the build has ended is released.
"""

import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from airgap_image_factory.block_device.sweep import sweep, unmount_below
from airgap_image_factory.dib_process import run_dib
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
SUDO_TIMEOUT: Final = 60.0
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
    done = run(["sudo", "-n", "true"], timeout=SUDO_TIMEOUT)
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
