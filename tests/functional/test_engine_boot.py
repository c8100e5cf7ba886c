"""The real image boots under ``--engine boot``: one boot for all tests, and a registry that only its CA knows."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.elements.pki import Issued, make_server
from tests.functional.conftest import BuiltImage
from tests.functional.registry import Registry, registry

NAME = "registry.internal"
PORT = 5000
BOOT_TIMEOUT = 900
WITHOUT_KVM = """\
#!/bin/sh
case "$*" in *"-accel kvm"*) echo "no KVM in this test"; exit 1 ;; esac
exec /usr/bin/qemu-system-x86_64 "$@"
"""
"""A QEMU that dies under KVM."""
CODE = """\
import sys
from pathlib import Path
from diskimage_validator.cli import main
from diskimage_validator.engines.boot import machine, qemu
machine.KVM = Path("/dev/null")
qemu.FOLDERS = (sys.argv.pop(1),)
main()
"""
"""The validator on a host where KVM seems to be there, and whose QEMU is in the folder that comes first."""


@dataclass(frozen=True)
class Booted:
    """What the one call left behind, and what there was before it."""

    status: int
    stderr: str
    report: dict[str, Any]
    serial: str
    sha256: tuple[str, str]
    leftovers: set[str]
    registry: Registry
    kvm: dict[str, Any]

    def results(self, check: str) -> dict[str, str]:
        """Return subject to status of a check's results."""
        return {one["subject"]: one["status"] for one in self.report["results"] if one["check"] == check}


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture(scope="module")
def served(authority: Issued, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(
        tmp_path_factory.mktemp("registry"), make_server(authority, [NAME, "127.0.0.1"]), authority
    ) as running:
        yield running


@pytest.fixture(scope="module")
def booted(node_image: BuiltImage, served: Registry, tmp_path_factory: pytest.TempPathFactory) -> Booted:
    folder = tmp_path_factory.mktemp("boot")
    temporary = folder / "tmp"
    temporary.mkdir()
    before = digest(node_image.path)
    program = folder / "qemu-system-x86_64"
    program.write_text(WITHOUT_KVM)
    program.chmod(0o755)
    command = [sys.executable, "-c", CODE, str(folder), "validate", str(node_image.path), "--engine", "boot"]
    command += ["--policy", "container-node", "--ca", str(node_image.authority), "--disk-size", "80 GiB"]
    command += ["--registry-endpoint", f"{NAME}:{PORT}=127.0.0.1:{served.port}", "--boot-timeout", str(BOOT_TIMEOUT)]
    command += ["--serial-log", str(folder / "serial.log"), "--report", f"json={folder / 'report.json'}"]
    environment = {**os.environ, "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert (folder / "report.json").exists(), done.stderr
    return Booted(
        status=done.returncode,
        stderr=done.stderr,
        report=json.loads((folder / "report.json").read_text()),
        serial=(folder / "serial.log").read_text(errors="replace"),
        sha256=(before, digest(node_image.path)),
        leftovers={path.name for path in temporary.iterdir() if path.name.startswith("diskimage-validator")},
        registry=served,
        kvm=json.loads((folder / "cache/diskimage-validator/kvm.json").read_text()),
    )


def test_the_node_passes(booted: Booted) -> None:
    failed = [one for one in booted.report["results"] if one["status"] not in ("pass", "skip")]
    assert failed == []
    assert booted.status == 0
    assert booted.report["engine"] == "boot"


def test_the_node_builds_for_the_registry_pushes_and_finds_what_it_pushed(booted: Booted) -> None:
    found = booted.results("live-registry")
    assert {subject.split()[0]: status for subject, status in found.items() if "delete" not in subject} == {
        "build": "pass",
        "push": "pass",
        "inspect": "pass",
    }
    log = (booted.registry.folder / "data").rglob("link")
    assert any("diskimage-validator/proof" in str(path) for path in log)


def test_how_it_booted_is_noted(booted: Booted) -> None:
    (note,) = [note for note in booted.report["notes"] if note.startswith("booted under")]
    assert note.startswith("booted under TCG, after KVM: no KVM in this test: BIOS, log-in as zuul (credential) after")
    assert note.endswith(", running")
    print(note)  # noqa: T201 - figures for the log


def test_a_machine_that_dies_under_kvm_is_started_again_and_that_is_remembered(booted: Booted) -> None:
    assert booted.kvm["reason"] == "KVM: no KVM in this test"
    assert booted.serial.count("no KVM in this test") == 0


def test_that_nothing_failed_is_judged_though_the_policy_does_not_ask(booted: Booted) -> None:
    assert booted.results("live-units") == {"systemd": "pass"}


def test_a_live_word_of_progress_is_the_consoles_last_line(booted: Booted) -> None:
    lines = [line for line in booted.stderr.splitlines() if line.startswith("booting under")]
    assert len(lines) > 5
    assert all(line.isprintable() for line in lines)


def test_nobody_waits_for_a_menu(booted: Booted) -> None:
    """GRUB counts down from five."""
    said = re.findall(r"executed automatically in (\d)s", booted.serial)
    assert said[0] == "5"
    assert "2" not in said


def test_the_serial_log_is_kept_to_the_orderly_end(booted: Booted) -> None:
    assert "Linux version" in booted.serial
    assert booted.serial.rstrip().endswith("reboot: Power down")


def test_the_image_is_as_it_was_and_nothing_is_left(booted: Booted) -> None:
    assert booted.sha256[0] == booted.sha256[1] == booted.report["target"]["sha256"]
    assert booted.leftovers == set()
    running = subprocess.run(["pgrep", "-af", "engines/boot/relay.py"], capture_output=True, text=True, check=False)
    assert running.stdout == ""


def test_no_key_of_the_run_is_in_the_report_or_the_log(booted: Booted) -> None:
    assert "PRIVATE KEY" not in booted.serial + json.dumps(booted.report) + booted.stderr
