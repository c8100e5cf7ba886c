"""The boot engine on an image that only UEFI starts, whose systemd is too old for credentials and has no cloud-init.

Root logs in with a key that was written into the overlay, and the node is judged by the live rules of a policy that
does not speak of failed units.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from diskimage_validator.engines.boot import firmware
from diskimage_validator.engines.boot.engine import BootEngine
from diskimage_validator.engines.boot.options import BootOptions
from diskimage_validator.errors import EngineError
from diskimage_validator.image_file import examine
from diskimage_validator.login import Login
from tests.functional.conftest import BuiltImage
from tests.functional.image_copies import ESP_TYPE, REMOVABLE, make_systemd_older, make_uefi_copy
from tests.functional.test_engine_boot import digest
from tests.support import disks

BOOT_TIMEOUT = 900
LOADER = Path("/usr/lib/systemd/boot/efi/systemd-bootx64.efi")
BROKEN = "broken-by-the-test.service"
UNIT = "[Service]\nType=oneshot\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n"
POLICY = "version: 1\nname: builder\nextends: kolla-builder-live\nlive: {failed_units: null}\n"
ESP_ONLY = "label: gpt\nsize=40MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\n"


@dataclass(frozen=True)
class Booted:
    """What the one call left behind. ``sha256`` is that of the image, before and after."""

    stderr: str
    report: dict[str, Any]
    sha256: tuple[str, str]

    def results(self, check: str) -> dict[str, str]:
        """Return subject to status of a check's results."""
        return {one["subject"]: one["status"] for one in self.report["results"] if one["check"] == check}


def change(root: Path) -> None:
    """Make systemd too old for credentials, let root in with a key, and have a unit fail."""
    make_systemd_older(root)
    sshd = root / "etc/ssh/sshd_config.d/10-zuul-node.conf"
    sshd.write_text(sshd.read_text().replace("PermitRootLogin no", "PermitRootLogin prohibit-password"))
    units = root / "etc/systemd/system"
    (units / BROKEN).write_text(UNIT)
    (units / "multi-user.target.wants" / BROKEN).symlink_to(f"../{BROKEN}")


@pytest.fixture(scope="module")
def booted(gpt_image: BuiltImage, tmp_path_factory: pytest.TempPathFactory) -> Booted:
    folder = tmp_path_factory.mktemp("uefi")
    image = make_uefi_copy(gpt_image.path, folder / "node.raw", change)
    before = digest(image)
    command = [sys.executable, "-m", "diskimage_validator", "validate", str(image), "--image-format", "raw"]
    command += ["--engine", "boot", "--boot-user", "root", "--boot-timeout", str(BOOT_TIMEOUT)]
    (folder / "policy.yaml").write_text(POLICY)
    command += ["--policy", str(folder / "policy.yaml"), "--ca", str(gpt_image.authority)]
    command += ["--report", f"json={folder / 'report.json'}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (folder / "report.json").exists(), done.stderr
    found = Booted(done.stderr, json.loads((folder / "report.json").read_text()), (before, digest(image)))
    image.unlink()
    return found


def test_root_logs_in_by_the_overlay_after_a_start_by_uefi(booted: Booted) -> None:
    (note,) = [note for note in booted.report["notes"] if note.startswith("booted under")]
    assert "UEFI, log-in as root (overlay) after" in note
    print(note)  # noqa: T201 - figures for the log


def test_the_live_rules_are_judged_on_the_booted_node(booted: Booted) -> None:
    assert [one for one in booted.report["results"] if one["status"] == "error"] == []
    assert set(booted.results("live-disk").values()) == {"pass"}
    assert set(booted.results("live-engine").values()) == {"pass"}
    assert set(booted.results("live-entropy").values()) == {"pass"}
    assert booted.results("live-units") == {BROKEN: "fail"}
    # Nobody tells the time on a closed network.
    assert "fail" in booted.results("live-clock").values()


def test_the_key_of_the_run_is_in_no_byte_of_the_image(booted: Booted) -> None:
    assert booted.sha256[0] == booted.sha256[1] == booted.report["target"]["sha256"]
    keys = [one for one in booted.report["results"] if "diskimage-validator" in json.dumps(one)]
    assert keys == []


def test_without_firmware_an_image_for_uefi_alone_is_declined_before_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = disks.partitioned(tmp_path / "esp.raw", ESP_ONLY)
    monkeypatch.setattr(firmware, "DESCRIPTORS", tmp_path / "none")
    log = tmp_path / "serial.log"
    options = BootOptions(serial_log=log)
    with pytest.raises(EngineError, match="boots by UEFI only, and there is no firmware") as seen:
        BootEngine(examine(disk), Login("root", "credential", "/root/key"), options, has_esp=True)
    assert "install ovmf" in seen.value.hint
    assert not log.exists()


def big_sectors(folder: Path) -> Path:
    """Make a disk for sectors of 4096 bytes whose EFI system partition has a program to start."""
    program = {REMOVABLE: LOADER.read_bytes()}
    esp = disks.fat(folder / "esp", 300 * disks.MIB, program, "-S", "4096", "-F", "32")
    disk = disks.big_sectors(disks.empty(folder / "big.raw", 304 * disks.MIB), 300 * disks.MIB, ESP_TYPE)
    disks.place(disk, disks.MIB, esp)
    esp.unlink()
    return disk


def test_a_disk_with_big_sectors_is_started_by_uefi(tmp_path: Path) -> None:
    image = examine(big_sectors(tmp_path), image_format="raw")
    log = tmp_path / "serial.log"

    def switch_off() -> None:
        """End the machine when its firmware has found the program, or that there is none."""
        while not (log.exists() and re.search(rb"BdsDxe: (starting|No bootable|failed to)", log.read_bytes())):
            time.sleep(0.1)
        found = subprocess.run(["pgrep", "-f", str(tmp_path / "tmp")], capture_output=True, text=True, check=True)
        os.kill(int(found.stdout), signal.SIGKILL)

    (tmp_path / "tmp").mkdir()
    thread = threading.Thread(target=switch_off, daemon=True)
    options = BootOptions(memory=256 << 20, serial_log=log, timeout=BOOT_TIMEOUT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
        patch.setattr("diskimage_validator.engines.boot.machine.KVM", Path("/no/such/device"))
        thread.start()
        with pytest.raises(EngineError, match="the machine does not run: TCG: QEMU ended"):
            BootEngine(image, Login("root", "credential", "/root/key"), options, has_esp=True)
    assert b"BdsDxe: starting Boot" in log.read_bytes()


@pytest.mark.parametrize(
    ("firmware", "has_esp", "hint"), [("auto", False, "EFI system partition"), ("bios", True, "--boot-firmware")]
)
def test_a_disk_with_big_sectors_is_declined_where_only_a_bios_could_start_it(
    tmp_path: Path, firmware: str, *, has_esp: bool, hint: str
) -> None:
    disk = disks.big_sectors(disks.empty(tmp_path / "big.raw", 8 * disks.MIB), 4 * disks.MIB)
    options = BootOptions(serial_log=tmp_path / "serial.log", firmware=firmware)
    image = examine(disk, image_format="raw")
    with pytest.raises(EngineError, match="sectors of 4096 bytes, from which no BIOS boots") as seen:
        BootEngine(image, Login("root", "credential", "/root/key"), options, has_esp=has_esp)
    assert hint in seen.value.hint
    assert not (tmp_path / "serial.log").exists()
