"""A signal while libguestfs starts its appliance is heard at once, and nothing stays of the start."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import disks, images

PATIENCE = 180.0
AT_ONCE = 15.0
"""Seconds. A start that hangs is given up after 20."""
STARTING = b"starting the libguestfs appliance"
ASLEEP = """\
#!/bin/bash
case "$*" in *panic=1*) while :; do sleep 1; done ;; esac
exec /usr/bin/qemu-system-x86_64 "$@"
"""
"""A QEMU that never starts anything."""


@dataclass(frozen=True)
class Call:
    """How to call the validator on the image, and where it may leave nothing."""

    image: Path
    temporary: Path

    @contextmanager
    def begin(self, *, asleep: bool) -> Iterator["subprocess.Popen[bytes]"]:
        # A shell that starts the tests in the background has SIGINT ignored.
        code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        code += "from diskimage_validator.cli import main; main()"
        command = [sys.executable, "-c", code, "inspect", str(self.image), "--engine", "guestfs", "--part", "os"]
        # The appliance of supermin(1), which libguestfs would make anew in TMPDIR, stays where it is.
        cache = os.environ.get("LIBGUESTFS_CACHEDIR", "/var/tmp")
        environment = {**os.environ, "TMPDIR": str(self.temporary), "LIBGUESTFS_CACHEDIR": cache}
        if asleep:
            program = self.image.with_name("qemu-asleep")
            program.write_text(ASLEEP)
            program.chmod(0o755)
            environment["LIBGUESTFS_HV"] = str(program)
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        with process:
            try:
                yield process
            finally:
                process.kill()

    def running(self) -> str:
        """Return the processes that have anything to do with the folder of this call."""
        found = subprocess.run(["pgrep", "-af", "--", str(self.temporary)], capture_output=True, text=True, check=False)
        return found.stdout


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Call]:
    tree = disks.tree(tmp_path / "tree", {"/etc/os-release": images.OS_RELEASE})
    image = disks.empty(tmp_path / "node.raw", 16 * disks.MIB)
    disks.ext(image, tree, 16 * disks.MIB)
    (tmp_path / "tmp").mkdir()
    call = Call(image, tmp_path / "tmp")
    yield call
    assert call.running() == ""
    assert [path.name for path in call.temporary.iterdir()] == []


def begun(process: "subprocess.Popen[bytes]") -> None:
    """Wait until ``process`` says that it starts an appliance."""
    assert process.stderr is not None
    line = b""
    while STARTING not in line:
        line = process.stderr.readline()
        assert line


def assert_ends(process: "subprocess.Popen[bytes]", number: signal.Signals, status: int) -> None:
    """Send the signal, and check that there is no second start, no error, and no long end."""
    assert process.poll() is None
    began = time.monotonic()
    process.send_signal(number)
    assert process.stderr is not None
    rest = process.stderr.read()
    assert process.wait(PATIENCE) == status
    assert time.monotonic() - began < AT_ONCE
    assert not [word for word in (b"Traceback", b"error", STARTING) if word in rest], rest.decode()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_start_that_hangs(call: Call, number: signal.Signals, status: int) -> None:
    with call.begin(asleep=True) as process:
        begun(process)
        deadline = time.monotonic() + PATIENCE
        while "panic=1" not in call.running():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert_ends(process, number, status)


def test_a_signal_ends_a_start_that_has_only_begun(call: Call) -> None:
    with call.begin(asleep=False) as process:
        begun(process)
        assert_ends(process, signal.SIGTERM, 143)
