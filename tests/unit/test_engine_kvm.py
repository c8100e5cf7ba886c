"""What is remembered of a KVM that did not work, and for how long."""

import json
from pathlib import Path

import pytest

from diskimage_validator.engines import appliance, kvm


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("LIBGUESTFS_HV", raising=False)
    monkeypatch.delenv("LIBGUESTFS_BACKEND_SETTINGS", raising=False)
    monkeypatch.setattr(appliance, "KVM", Path("/dev/null"))
    return tmp_path / "diskimage-validator" / "kvm.json"


def labels() -> list[str]:
    return [attempt.label for attempt in appliance._attempts()[0]]


def test_a_kvm_that_did_not_work_is_left_out_until_it_is_forgotten(cache: Path) -> None:
    assert labels() == ["KVM", "TCG", "TCG, second attempt"]
    assert appliance._attempts()[1] == []
    kvm.remember("guestfs_launch failed")
    assert labels() == ["TCG", "TCG, second attempt"]
    assert appliance._attempts()[1] == [
        "the appliance runs without KVM, which did not work earlier on this host: guestfs_launch failed"
    ]
    assert list(cache.parent.iterdir()) == [cache]
    kvm.forget()
    assert labels()[0] == "KVM"


def test_without_kvm_there_is_nothing_to_say_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    kvm.remember("guestfs_launch failed")
    monkeypatch.setattr(appliance, "KVM", Path("/no/such/device"))
    assert appliance._attempts()[1] == []


def test_it_holds_for_one_boot_one_qemu_and_a_day(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kvm.remember("it hangs")
    assert kvm.remembered() == "it hangs"
    with monkeypatch.context() as other:
        other.setenv("LIBGUESTFS_HV", "/opt/qemu")
        assert kvm.remembered() is None
    with monkeypatch.context() as other:
        (tmp_path / "boot_id").write_text("another\n")
        other.setattr(kvm, "BOOT_ID", tmp_path / "boot_id")
        assert kvm.remembered() is None
    noted = json.loads(cache.read_text())
    for seconds in (-25 * 3600, 3600):  # yesterday; a clock that was wrong
        cache.write_text(json.dumps({**noted, "time": noted["time"] + seconds}))
        assert kvm.remembered() is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"time": "x"}', '{"time": 1e999, "host": 1}', "\udcff"])
def test_a_damaged_file_says_nothing(cache: Path, content: str) -> None:
    cache.parent.mkdir()
    cache.write_text(content, errors="surrogateescape")
    assert kvm.remembered() is None


def test_no_folder_for_it_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    kvm.remember("it hangs")
    kvm.forget()
    assert kvm.remembered() is None
