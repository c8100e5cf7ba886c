"""Servers that do not start as root: they run as ``nobody`` if the tests run as root, in a folder that it may enter."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

NOBODY = "nobody"
START_TIMEOUT = 30.0


@contextlib.contextmanager
def server_folder() -> Iterator[Path]:
    """Give an empty folder that belongs to who the servers run as; pytest's are root's alone."""
    folder = Path(tempfile.mkdtemp(prefix="airgap-test-"))
    try:
        hand_over(folder)
        yield folder
    finally:
        shutil.rmtree(folder)


def hand_over(path: Path) -> None:
    """Give a file or folder to who the servers run as."""
    if os.geteuid() == 0:
        shutil.chown(path, NOBODY)


def private(path: Path, content: bytes) -> Path:
    """Write a file that only the server may read: else it takes no key from it."""
    path.write_bytes(content)
    path.chmod(0o600)
    hand_over(path)
    return path


def _start(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        if os.geteuid() != 0:
            return subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd="/")
        return subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            cwd="/",
            user=NOBODY,
            group="nogroup",
            extra_groups=[],
        )


def run_unprivileged(command: Sequence[str], log: Path) -> None:
    status = _start(command, log).wait(timeout=60)
    assert status == 0, f"{command[0]} ended with status {status}:\n{log.read_text()[-2000:]}"


@contextlib.contextmanager
def serving(
    command: Sequence[str], log: Path, place: Path, ready: Callable[[], object], stop: int = signal.SIGTERM
) -> Iterator[None]:
    """Run a server until the block ends; ``place`` is its socket, ``ready`` raises as long as it does not answer."""
    process = _start(command, log)
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as knock:
                    knock.connect(str(place))
                ready()
                break
            except Exception:
                assert process.poll() is None, f"{command[0]} ended:\n{log.read_text()[-2000:]}"
                assert time.monotonic() < deadline, f"{command[0]} does not answer:\n{log.read_text()[-2000:]}"
                time.sleep(0.05)
        yield
    finally:
        process.send_signal(stop)
        process.wait(timeout=30)
