"""A process that outlives the build and cleans up when the build's shell dies without doing so.

DIB cleans up in its shell's EXIT trap. That trap does not always get there: SIGTERM to the whole process group ends
DIB's output filter too, and the trap dies of SIGPIPE at its first ``echo``; SIGKILL runs no trap at all. Nothing inside
the build can mend that, so this process, in a session of its own, waits for the end of the shell. It ends when the
image is detached, which is the usual case, or after it has detached it.
"""

import argparse
import logging
import logging.handlers
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from diskimage_builder.block_device.exception import BlockDeviceSetupException

from airgap_image_factory.block_device.devices import attached_loops
from airgap_image_factory.block_device.processes import open_lock, take_lock
from airgap_image_factory.block_device.signals import SIGNALS
from airgap_image_factory.block_device.sweep import sweep

logger = logging.getLogger(__name__)

SYSLOG = Path("/dev/log")
INTERVAL = 1000
"""Milliseconds between two looks whether the image is still attached."""


def start(image: Path, build_dir: Path, shell: int) -> None:
    """Start a guardian for the attached ``image`` of the build in ``build_dir`` that watches the pid ``shell``.

    Its streams are closed: whoever reads the build's output must not wait for it. Raises BlockDeviceSetupException if
    it cannot be started.
    """
    try:
        watched = os.pidfd_open(shell)
    except OSError as error:
        raise BlockDeviceSetupException(f"cannot watch the build's shell {shell}: {error}") from None
    command = ["setsid", "--fork", sys.executable, "-m", __spec__.name, "--shell-fd", str(watched)]
    command += [str(image.resolve()), str(build_dir.resolve())]
    quiet = subprocess.DEVNULL
    try:
        subprocess.run(command, check=True, pass_fds=[watched], cwd="/", stdin=quiet, stdout=quiet, stderr=quiet)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BlockDeviceSetupException(f"cannot start the guardian of {image}: {error}") from None
    finally:
        os.close(watched)


def watch(image: Path, build_dir: Path, shell_fd: int) -> None:
    """Wait until ``image`` is detached or the process behind ``shell_fd`` has ended; then detach what is left."""
    lock = open_lock(build_dir)
    poll = select.poll()
    poll.register(shell_fd, select.POLLIN)
    while not poll.poll(INTERVAL):
        if not attached_loops(image):
            return
    take_lock(lock)
    try:
        for swept in sweep(image):
            logger.warning("build ended without cleaning up; detached %s of %s", swept.loop.device, image)
    except BlockDeviceSetupException as error:
        logger.error("build ended without cleaning up: %s", error)


def main() -> None:
    """Watch in the background, deaf to the signals that end the build. Reports go to syslog, where there is one."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    handler = logging.handlers.SysLogHandler(str(SYSLOG)) if SYSLOG.exists() else logging.NullHandler()
    logging.basicConfig(handlers=[handler], format="airgap-image-factory[%(process)d]: %(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shell-fd", type=int, required=True, help="file descriptor (pidfd) of the build's shell")
    parser.add_argument("image", type=Path, help="backing file of the loop device")
    parser.add_argument("build_dir", type=Path, help="DIB's build folder")
    arguments = parser.parse_args()
    watch(arguments.image, arguments.build_dir, arguments.shell_fd)


if __name__ == "__main__":
    main()
