"""Firmware by the descriptors of QEMU's docs/interop/firmware.json, and which image needs it."""

import json
from pathlib import Path
from typing import Any

import pytest

from diskimage_validator.engines.base import Disk, Partition
from diskimage_validator.engines.boot import firmware, qemu
from diskimage_validator.engines.boot.options import BootOptions
from diskimage_validator.errors import EngineError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder for descriptors, and make it the host's."""
    (tmp_path / "descriptors").mkdir()
    monkeypatch.setattr(firmware, "DESCRIPTORS", tmp_path / "descriptors")
    return tmp_path / "descriptors"


def describe(folder: Path, name: str, **changes: Any) -> dict[str, Any]:
    """Write a descriptor of usable firmware, but for ``changes``, and its two files."""
    code, template = folder / f"{name}.code", folder / f"{name}.vars"
    code.write_bytes(b"code")
    template.write_bytes(name.encode())
    content = {
        "interface-types": ["uefi"],
        "mapping": {
            "device": "flash",
            "executable": {"filename": str(code), "format": "raw"},
            "nvram-template": {"filename": str(template), "format": "raw"},
        },
        "targets": [{"architecture": "x86_64", "machines": ["pc-i440fx-*", "pc-q35-*"]}],
        "features": ["acpi-s3"],
        **changes,
    }
    (folder / f"{name}.json").write_text(json.dumps(content))
    return content


def test_the_first_descriptor_that_fits_is_taken_and_its_variables_copied(folder: Path, tmp_path: Path) -> None:
    describe(folder, "40-signed", features=["acpi-s3", "secure-boot", "requires-smm"])
    describe(folder, "45-arm", targets=[{"architecture": "aarch64", "machines": ["virt-*"]}])
    describe(folder, "50-bios", **{"interface-types": ["bios"]})
    describe(folder, "60-plain")
    describe(folder, "70-later")
    flash = firmware.prepare_flash(tmp_path)
    assert flash.code == folder / "60-plain.code"
    assert flash.variables.parent == tmp_path
    assert flash.variables.read_bytes() == b"60-plain"
    line = " ".join(qemu.command(Path("/q"), "tcg", qemu.Drives(Path("/o"), None, flash), BootOptions(), [], 7))
    assert f"file={flash.code},format=raw,if=pflash,unit=0,readonly=on" in line
    assert f"file={flash.variables},format=raw,if=pflash,unit=1" in line


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"interface-types": 3}', "\x00", '{"mapping": {"executable": "x", "nvram-template": 3}}']
)
def test_what_is_no_descriptor_is_passed_over(folder: Path, tmp_path: Path, text: str) -> None:
    (folder / "10-odd.json").write_text(text)
    with pytest.raises(EngineError, match="boots by UEFI only, and there is no firmware for that here") as seen:
        firmware.prepare_flash(tmp_path)
    assert "install ovmf" in seen.value.hint
    describe(folder, "20-good")
    assert firmware.prepare_flash(tmp_path).code.name == "20-good.code"


def test_half_a_package_is_no_firmware(folder: Path, tmp_path: Path) -> None:
    describe(folder, "10-gone")
    (folder / "10-gone.vars").unlink()
    with pytest.raises(EngineError, match=r"10-gone\.vars"):
        firmware.prepare_flash(tmp_path)
    (folder / "10-gone.code").unlink()
    with pytest.raises(EngineError, match="no firmware"):
        firmware.prepare_flash(tmp_path)


@pytest.mark.parametrize(
    ("kind", "expected"), [("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", True), ("ef", True), ("83", False)]
)
def test_an_esp_is_known_by_its_type(kind: str, expected: bool) -> None:
    disk = Disk("gpt", 1 << 30, (), (Partition("/dev/sda1", 1, 1 << 20, 1 << 26, kind),))
    assert firmware.has_esp(disk) == expected
    assert not firmware.has_esp(None)
    assert not firmware.has_esp(Disk("gpt", 1 << 30, ()))


def test_boot_code_is_what_a_bios_starts() -> None:
    assert not firmware.boots_by_bios(bytes(440) + b"disk signature and table".ljust(72, b"\x55"))
    assert firmware.boots_by_bios(b"\xeb\x63\x90" + bytes(509))
