from importlib.metadata import PackagePath
from pathlib import Path

import pytest

from diskimage_validator import elements
from diskimage_validator.elements import elements_path
from diskimage_validator.errors import UsageError

CHECKOUT = Path(__file__).resolve().parents[2]


def test_an_editable_installation_finds_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "elements").mkdir()
    monkeypatch.chdir(tmp_path)
    assert elements_path() == CHECKOUT / "elements"


def test_installed_data_files_win(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "share/airgap-image-factory/elements/qemu-img"
    folder.mkdir(parents=True)
    (folder / "README.rst").touch()

    class Entry(PackagePath):
        def locate(self) -> Path:
            return tmp_path / "lib" / self

    (tmp_path / "lib").mkdir()
    recorded = [Entry("x/y.py"), Entry("../share/airgap-image-factory/elements/qemu-img/README.rst")]
    monkeypatch.setattr(elements, "files", lambda name: recorded)
    assert elements_path() == tmp_path / "share/airgap-image-factory/elements"


def test_neither_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(elements, "files", lambda name: None)
    monkeypatch.setattr(elements, "__file__", str(tmp_path / "a/b/c.py"))
    with pytest.raises(UsageError) as caught:
        elements_path()
    assert "wheel" in caught.value.hint
