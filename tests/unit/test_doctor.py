"""What doctor says of the direct engine; starting libguestfs is for the functional tests."""

import io
from pathlib import Path

import pytest

from diskimage_validator import process
from diskimage_validator.doctor import Diagnosis, diagnose
from diskimage_validator.engines.boot import firmware
from diskimage_validator.reports.diagnosis import write_diagnoses


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


def readiness() -> dict[str, Diagnosis]:
    return {found.subject: found for found in diagnose(start=False) if found.engine == "readiness"}


def test_skopeo_and_git_are_for_some_and_openssl_for_all(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {name: one.message.rpartition("/")[2] for name, one in readiness().items()} == {
        "openssl": "openssl",
        "skopeo": "skopeo",
        "git": "git",
    }
    monkeypatch.setitem(process.LOCALE, "PATH", str(tmp_path_factory.mktemp("empty")))
    found = readiness()
    assert {name: one.ok for name, one in found.items()} == {"openssl": False, "skopeo": True, "git": True}
    assert found["skopeo"].message == "not there: sizes of container images (storage.images) cannot be told"
    assert found["git"].message == "not there: repositories (services.git) cannot be asked"
    assert found["skopeo"].remedy == "for those: install the package skopeo"


def test_what_readiness_needs_reads_no_images() -> None:
    stream = io.StringIO()
    assert not write_diagnoses([Diagnosis("readiness", "openssl", ok=True, message="there")], stream)
    assert "readiness  works" in stream.getvalue()
    assert "This host cannot read images." in stream.getvalue()


def test_a_temporary_folder_that_cannot_be_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    start = direct()["start"]
    assert not start.ok
    assert start.message == "no temporary folder can be made: No such file or directory"
    assert start.remedy.startswith("set TMPDIR")
