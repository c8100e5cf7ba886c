"""A real QEMU with nothing to boot, under TCG and with little memory: seconds."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from diskimage_validator.engines import kvm
from diskimage_validator.engines.boot import machine as machine_module
from diskimage_validator.engines.boot import qemu
from diskimage_validator.engines.boot.machine import COUNTDOWN, Machine, MachineDiedError, accelerators
from diskimage_validator.engines.boot.options import BootOptions, Served
from diskimage_validator.engines.boot.waiting import telling, wait_for_host_key
from diskimage_validator.errors import EngineError, UsageError

OPTIONS = BootOptions(memory=128 << 20, processors=1)


@pytest.fixture
def drives(tmp_path: Path) -> qemu.Drives:
    disk = tmp_path / "disk, with a comma.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "1M"], check=True)
    return qemu.Drives(disk)


def running(text: str) -> list[str]:
    found = subprocess.run(["pgrep", "-f", "--", text], capture_output=True, text=True, check=False)
    return found.stdout.split()


def test_the_command_line_is_a_flavor_s_machine_on_a_closed_network() -> None:
    drives = qemu.Drives(Path("/tmp/a,b/overlay.qcow2"), Path("/tmp/config-2.iso"))
    line = qemu.command(Path("/usr/bin/qemu"), "tcg", drives, BootOptions(), ["io.x=QUJD"], 7)
    text = " ".join(line)
    assert "file=/tmp/a,,b/overlay.qcow2,format=qcow2" in text
    assert "file=/tmp/config-2.iso,format=raw,if=none,id=config,readonly=on" in text
    (network,) = [word for word in line if word.startswith("user,")]
    assert network == "user,id=net,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:0-:22"
    assert "spawn=deny" in text
    assert "type=11,value=io.x=QUJD" in line
    assert "socket,id=control,fd=7" in line
    assert {"-nodefaults", "-no-user-config"} <= set(line)


def test_sectors_are_those_that_the_disk_is_laid_out_for() -> None:
    for sector, expected in ((512, ""), (4096, ",logical_block_size=4096,physical_block_size=4096")):
        drives = qemu.Drives(Path("/a"), sector=sector)
        line = qemu.command(Path("/usr/bin/qemu"), "tcg", drives, BootOptions(), [], 7)
        assert f"virtio-blk-pci,drive=disk,bootindex=0{expected}" in line


def test_what_is_served_is_the_only_way_out() -> None:
    served = Served("registry.internal", 5000, "127.0.0.1", 4711)
    line = qemu.command(Path("/usr/bin/qemu"), "kvm", qemu.Drives(Path("/a")), BootOptions(served=served), [], 7)
    (network,) = [word for word in line if word.startswith("user,")]
    assert network.startswith("user,id=net,restrict=on,")
    assert network.endswith(f"guestfwd=tcp:10.0.2.100:5000-cmd:{sys.executable} -I -S {qemu.RELAY} 127.0.0.1 4711")
    assert "spawn=deny" not in " ".join(line)


def test_nobody_answers_in_a_machine_with_nothing_to_boot(drives: qemu.Drives, tmp_path: Path) -> None:
    log = tmp_path / "serial.log"
    steps: list[str] = []
    machine = Machine("tcg", drives, BootOptions(memory=128 << 20, processors=1, serial_log=log), [])
    try:
        assert 0 < machine.port < 65536
        began = time.monotonic()
        with (
            telling(machine, steps.append),
            pytest.raises(EngineError, match="no SSH server answers within 4 s") as seen,
        ):
            wait_for_host_key(machine, 4)
        assert time.monotonic() - began < 15
        assert "SeaBIOS" in seen.value.message
        assert "--serial-log" in seen.value.hint
        assert running(str(drives.overlay.parent))
    finally:
        machine.kill()
        machine.kill()
    assert running(str(drives.overlay.parent)) == []
    assert b"SeaBIOS" in log.read_bytes()
    assert any(step.startswith("booting under TCG") and "boot" in step.partition(": ")[2].lower() for step in steps)


def test_a_machine_that_ends_in_its_menu_is_one_that_died(drives: qemu.Drives, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine("tcg", drives, OPTIONS, [])
    try:
        monkeypatch.setattr(machine, "last_line", lambda: f"{COUNTDOWN} in 1s.")
        machine._service.stop()
        machine.skip_menu()
        with pytest.raises(MachineDiedError, match="QEMU ended"):
            machine.check()
    finally:
        machine.kill()


def test_a_machine_that_does_not_listen_to_anybody_is_switched_off(
    drives: qemu.Drives, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_module, "POWERDOWN_TIMEOUT", 1.0)
    machine = Machine("tcg", drives, OPTIONS, [])

    def ask() -> None:
        raise EngineError("nobody is there")

    try:
        assert "neither when asked over SSH nor by ACPI" in machine.power_down(ask)
    finally:
        machine.kill()
    with pytest.raises(MachineDiedError, match="QEMU ended"):
        machine.check()


def test_a_machine_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(MachineDiedError, match="Could not open"):
        Machine("tcg", qemu.Drives(tmp_path / "missing.qcow2"), OPTIONS, [])
    assert running(str(tmp_path)) == []


def test_a_log_that_cannot_be_written_leaves_no_machine(drives: qemu.Drives, tmp_path: Path) -> None:
    options = BootOptions(memory=128 << 20, serial_log=tmp_path / "no/serial.log")
    with pytest.raises(UsageError, match="cannot write"):
        Machine("tcg", drives, options, [])
    assert running(str(drives.overlay.parent)) == []


def test_a_silent_machine_under_kvm_is_taken_for_dead(drives: qemu.Drives, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine("tcg", drives, OPTIONS, [])
    try:
        machine.check()
        machine.accelerator = "kvm"  # as if: here, KVM works for nobody
        monkeypatch.setattr(machine_module, "SILENCE", -1.0)
        monkeypatch.setattr(machine_module, "FIRST_WORD", -1.0)
        with pytest.raises(MachineDiedError, match="nothing on the console for"):
            machine.check()
    finally:
        machine.kill()


def test_tcg_is_always_the_last_resort() -> None:
    assert accelerators()[-1] == "tcg"


def test_kvm_that_did_not_work_is_left_out_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(machine_module, "KVM", Path("/dev/null"))
    assert accelerators() == ("kvm", "tcg")
    kvm.remember("QEMU ended")
    assert accelerators() == ("tcg",)
