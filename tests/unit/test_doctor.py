"""What doctor says of the direct engine; starting libguestfs is for the functional tests."""

from pathlib import Path

import pytest

from diskimage_validator import process
from diskimage_validator.doctor import Diagnosis, diagnose
from diskimage_validator.engines.boot import firmware


def direct() -> dict[str, Diagnosis]:
    return {found.subject: found for found in diagnose(start=False) if found.engine == "direct"}


def test_the_direct_engine_works_here() -> None:
    found = direct()
    assert all(one.ok for one in found.values())
    assert found["start"].message == "qemu-nbd serves, without network"


def test_what_is_missing_is_named_with_its_package(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(process.LOCALE, "PATH", str(tmp_path_factory.mktemp("empty")))
    found = direct()
    assert {name: one.ok for name, one in found.items()} == {"qemu-img": False, "qemu-nbd": False, "setpriv": False}
    assert found["qemu-nbd"].remedy.startswith("install qemu-utils (Debian, Ubuntu)")
    assert found["setpriv"].remedy == "install util-linux"


def test_without_uefi_only_some_images_do_not_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firmware, "DESCRIPTORS", tmp_path)
    (found,) = [one for one in diagnose(start=False) if one.subject == "UEFI"]
    assert found.ok
    assert "install ovmf" in found.remedy
