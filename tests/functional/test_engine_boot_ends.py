"""However a boot ends, nothing stays of it: on an image that QEMU has nothing to boot from."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.functional.test_engine_boot import CODE
from tests.support import disks, images

FILES = {
    "/etc/os-release": images.OS_RELEASE,
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
    "/etc/group": "root:x:0:\n",
    "/etc/shadow": "root:*:19000::::::\n",
    "/etc/ssh/sshd_config": "PermitRootLogin prohibit-password\n",
    "/root/.profile": "",
    images.STATUS: images.status({**images.PACKAGES, "systemd": "252.39-1~deb12u1"}),
}
PATIENCE = 180.0


@dataclass(frozen=True)
class Call:
    """How to call the validator on the image, and where it may leave nothing."""

    image: Path
    temporary: Path
    log: Path

    def command(self, *options: str) -> list[str]:
        line = [sys.executable, "-m", "diskimage_validator", "validate", str(self.image), "--engine", "boot"]
        line += ["--policy", "container-node", "--serial-log", str(self.log), "--boot-memory", "256 MiB", *options]
        return line

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "TMPDIR": str(self.temporary)}

    def running(self) -> str:
        """Return the processes that have anything to do with the folder of this call."""
        found = subprocess.run(["pgrep", "-af", "--", str(self.temporary)], capture_output=True, text=True, check=False)
        return found.stdout


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Call]:
    tree = disks.tree(tmp_path / "tree", FILES)
    image = disks.empty(tmp_path / "empty.raw", 64 * disks.MIB)
    disks.ext(image, tree, 64 * disks.MIB)
    (tmp_path / "tmp").mkdir()
    before = image.read_bytes()
    call = Call(image, tmp_path / "tmp", tmp_path / "serial.log")
    yield call
    assert call.running() == ""
    assert [path.name for path in call.temporary.iterdir()] == []
    assert image.read_bytes() == before


def test_a_machine_that_nobody_answers_in_is_an_error_with_its_last_words(call: Call) -> None:
    command = call.command("--boot-timeout", "5")
    done = subprocess.run(command, env=call.environment, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 3
    assert "error: no SSH server answers within 5 s" in done.stderr
    assert "the console's last lines:" in done.stderr
    assert "SeaBIOS" in done.stderr
    assert "--boot-timeout" in done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr


def test_a_machine_that_dies_under_everything_is_an_error_and_says_nothing_of_kvm(call: Call, tmp_path: Path) -> None:
    program = tmp_path / "qemu-system-x86_64"
    program.write_text('#!/bin/sh\necho "it is dead"\nexit 1\n')
    program.chmod(0o755)
    command = [sys.executable, "-c", CODE, str(tmp_path), *call.command()[3:]]
    environment = {**call.environment, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 3
    died = "the machine does not run: KVM: it is dead; TCG: it is dead"
    assert f"error: {died}" in done.stderr
    assert not (tmp_path / "cache/diskimage-validator/kvm.json").exists()


def test_a_log_on_a_full_disk_ends_nothing_but_the_log(call: Call) -> None:
    command = call.command("--boot-timeout", "5", "--serial-log", "/dev/full")
    done = subprocess.run(command, env=call.environment, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 3
    assert "error: no SSH server answers within 5 s" in done.stderr
    assert "SeaBIOS" in done.stderr
    assert "the serial log is not complete: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_everything_at_once(call: Call, number: signal.Signals, status: int) -> None:
    # A shell that starts the tests in the background has SIGINT ignored.
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "from diskimage_validator.cli import main; main()"
    command = [sys.executable, "-c", code, *call.command("--boot-timeout", "600")[3:]]
    process = subprocess.Popen(command, env=call.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with process:
        deadline = time.monotonic() + PATIENCE
        while not (call.log.exists() and b"SeaBIOS" in call.log.read_bytes()):
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert "overlay.qcow2" in call.running()
        process.send_signal(number)
        assert process.wait(20) == status
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_a_machine_dies_with_the_validator_even_if_that_is_killed(call: Call) -> None:
    command = call.command("--boot-timeout", "600")
    process = subprocess.Popen(command, env=call.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with process:
        deadline = time.monotonic() + PATIENCE
        while "qemu-system" not in call.running():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()
    deadline = time.monotonic() + 10
    while call.running() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert call.running() == ""
    # What nobody lived to remove, the next run does.
    (left,) = call.temporary.iterdir()
    assert (left / "overlay.qcow2").exists()
    command = [sys.executable, "-m", "diskimage_validator", "inspect", str(call.image), "--quiet", "--part", "os"]
    subprocess.run(command, env=call.environment, check=True, stdout=subprocess.DEVNULL)


def test_an_image_that_nobody_can_log_in_to_is_refused_before_it_boots(call: Call, tmp_path: Path) -> None:
    tree = disks.tree(tmp_path / "closed", {**FILES, "/etc/ssh/sshd_config": "PermitRootLogin no\n"})
    closed = disks.empty(tmp_path / "closed.raw", 64 * disks.MIB)
    disks.ext(closed, tree, 64 * disks.MIB)
    done = subprocess.run(
        [str(closed) if word == str(call.image) else word for word in call.command()],
        env=call.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 3
    assert "nobody can log in to this image with a key of our own: root: PermitRootLogin no" in done.stderr
    assert not call.log.exists()
