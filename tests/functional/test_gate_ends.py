"""Whatever ends disk-image-create-validated on its way, nothing of it is left, and the last line says what it was."""

import array
import fcntl
import os
import re
import signal
import subprocess
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest

from airgap_image_factory.block_device.processes import descendants
from tests.functional.gate import TIMEOUT, GateRunner, Running
from tests.support.waiting import wait_for

SLEEPS = "tiny-root sleeps"


@pytest.fixture
def gate(tmp_path: Path) -> GateRunner:
    return GateRunner(tmp_path)


@pytest.fixture
def sleeping(gate: GateRunner) -> Running:
    """Give a build that sleeps inside the chroot, with the disk of the image mounted and a process deaf to SIGTERM."""
    running = gate.start("block-device-loop-mbr", TINY_ROOT_FINALISE="sleep")
    running.reaches(SLEEPS)
    assert any(found.startswith("/dev/loop") for found in gate.leftovers())
    return running


def assert_nothing_is_left(gate: GateRunner) -> None:
    wait_for(lambda: not gate.leftovers(), 120)
    assert gate.leftovers() == []
    assert list(gate.images.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything(sleeping: Running, number: signal.Signals) -> None:
    sleeping.send(number)
    done = sleeping.wait()
    assert done.status == 128 + number
    assert f"INTERRUPTED by {number.name}" in done.last
    assert_nothing_is_left(sleeping.gate)


def test_sigkill_as_of_nodepools_timeout_ends_everything(sleeping: Running) -> None:
    sleeping.send(signal.SIGKILL)
    assert sleeping.wait().status == -signal.SIGKILL
    assert_nothing_is_left(sleeping.gate)
    assert "INTERRUPTED by SIGTERM" in sleeping.log.read_text().splitlines()[-1]


def test_the_working_process_is_killed_as_by_the_kernel(sleeping: Running) -> None:
    (worker,) = direct_children(sleeping.process.pid)
    os.kill(worker, signal.SIGKILL)
    done = sleeping.wait()
    assert done.status == 4
    assert "the build was killed (SIGKILL), out of memory perhaps" in done.last
    assert_nothing_is_left(sleeping.gate)


@pytest.mark.parametrize("which", ["all processes", "all but the hook"])
def test_what_nobody_was_left_to_clean_up_is_cleaned_up_by_the_next_build(sleeping: Running, which: str) -> None:
    """All at once, as when a container or a unit is killed."""
    gate = sleeping.gate
    spared = hooks() if which == "all but the hook" else []
    for pid in (sleeping.process.pid, *descendants(sleeping.process.pid)):
        if pid in spared:
            continue
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    sleeping.wait()
    assert gate.uploadable() == []
    done = gate(base="image-2")
    assert done.status == 0, done.log
    assert gate.leftovers() == []
    assert sorted(path.name for path in gate.images.iterdir()) == ["image-2.d", "image-2.qcow2"]


def test_nobody_reads_the_log_any_more(gate: GateRunner) -> None:
    """A nodepool-builder that was killed leaves its builds behind, with a broken pipe."""
    command = [*gate.command("block-device-loop-mbr"), "tiny-root"]
    environment = {**os.environ, **gate.variables, "TINY_ROOT_FINALISE": "sleep"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(240) == 128 + signal.SIGPIPE
    assert_nothing_is_left(gate)


def test_nobody_reads_the_log_and_nobody_closes_it(gate: GateRunner) -> None:
    """As nodepool-builder does after a timeout: it kills its child, and lets the pipe be full."""
    environment = {**os.environ, **gate.variables}
    command = [*gate.command("-x", "-x"), "tiny-root"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert wait_for(lambda: unread(process.stdout) >= 60_000, TIMEOUT)
        process.kill()
        process.wait()
        assert_nothing_is_left(gate)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("reached", ["the root passed; converting", "validating image-1.qcow2"])
def test_in_the_middle_of_what_follows_the_build(gate: GateRunner, number: signal.Signals, reached: str) -> None:
    running = gate.start("--checksum", formats="qcow2,raw,vmdk", TINY_ROOT_MIB="300", DIB_IMAGE_SIZE="0.6")
    running.reaches(reached)
    running.send(number)
    running.wait()
    assert_nothing_is_left(gate)
    assert "INTERRUPTED by SIGTERM" in running.log.read_text().splitlines()[-1]


@pytest.fixture
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a file system of 100 MiB: the tiny disk of 61 MiB fits in, not more than once."""
    folder = tmp_path_factory.mktemp("small")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100M", "small", folder], check=True)
    yield folder
    subprocess.run(["umount", "--recursive", folder], check=True)


@pytest.mark.parametrize("place", ["images", "temporary"])
def test_a_disk_without_room(gate: GateRunner, small_disk: Path, place: str) -> None:
    """In the folder of the images it is the conversion that fails, in the temporary one diskimage-builder itself."""
    if place == "images":
        gate.images = small_disk
        done = gate("-u", formats="raw,vmdk", DIB_IMAGE_SIZE="0.09", TINY_ROOT_MIB="60")
    else:
        gate.tmp = small_disk
        done = gate(TINY_ROOT_MIB="120", TMPDIR=str(small_disk))
    assert done.status == 4
    assert re.search("disk full: |no room in |No space left", done.last), done.last
    assert gate.leftovers() == []
    assert list(small_disk.iterdir()) == []


def unread(pipe: IO[bytes] | None) -> int:
    """Return how many bytes wait in ``pipe``, ioctl_fionread."""
    assert pipe is not None
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def hooks() -> list[int]:
    """Return the processes that run tiny-root's hook."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if b"finalise.d/50-tiny-root" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def direct_children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
