from pathlib import Path

import pytest

from diskimage_validator import elements
from diskimage_validator.elements import elements_path
from diskimage_validator.errors import UsageError

CHECKOUT = Path(__file__).parents[2]


def test_a_checkout_has_its_own_elements_whatever_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elements").mkdir()
    monkeypatch.chdir(tmp_path)
    assert elements_path() == CHECKOUT / "elements"


def install(site: Path, record: str) -> None:
    """Lay out what pip leaves in site-packages: the module and the distribution's record."""
    (site / "diskimage_validator").mkdir(parents=True)
    info = site / "airgap_image_factory-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: airgap-image-factory\nVersion: 1\n")
    (info / "RECORD").write_text(record)


def test_installed_data_files_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "lib/python3/site-packages"
    install(
        site, "diskimage_validator/elements.py,,\n../../../share/airgap-image-factory/elements/qemu-img/README.rst,,\n"
    )
    (tmp_path / "share/airgap-image-factory/elements/qemu-img").mkdir(parents=True)
    monkeypatch.setattr(elements, "__file__", str(site / "diskimage_validator/elements.py"))
    assert elements_path() == tmp_path / "share/airgap-image-factory/elements"


def test_no_elements_anywhere_is_an_error_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "lib/python3/site-packages"
    install(site, "diskimage_validator/elements.py,,\n")
    monkeypatch.setattr(elements, "__file__", str(site / "diskimage_validator/elements.py"))
    with pytest.raises(UsageError, match="not installed") as caught:
        elements_path()
    assert "pip install" in caught.value.hint
