"""The wheel: the elements are in it with their run bits, and are found where pip put them."""

import os
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ELEMENTS = ROOT / "elements"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from what git knows, so that a stray file in the checkout cannot hide a missing one."""
    source = tmp_path_factory.mktemp("source")
    archive = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["rsync", "-a", "--from0", "--files-from=-", f"{ROOT}/", f"{source}/"], input=archive, check=True)
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(target), str(source)]
    subprocess.run(command, check=True)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a virtual environment with the wheel and, for its dependencies, a view of this one's packages."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)], check=True)
    here = next(path for path in sys.path if path.endswith("site-packages"))
    (site,) = folder.glob("lib/python3*/site-packages")
    # A .pth file would also run this environment's own .pth files, which put the checkout first.
    (site / "zz-dependencies.pth").write_text(f"import sys; sys.path.append({here!r})\n")
    return folder


def hooks(elements: Path) -> dict[str, bool]:
    """Return every file below an elements folder, with whether it may be executed."""
    return {
        str(path.relative_to(elements)): os.access(path, os.X_OK)
        for path in elements.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_has_both_packages_and_the_policies(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "diskimage_validator/policies/container-node.yaml" in names
    assert "diskimage_validator/readiness/factory.yaml" in names
    assert "diskimage_validator/engines/guestfs.py" in names
    for name in ("schemas/report.schema.json", "schemas/summary.schema.json", "templates/report.html"):
        assert f"diskimage_validator/reports/{name}" in names
    assert "airgap_image_factory/block_device/loop_partitioning.py" in names
    assert not [name for name in names if name.startswith(("tests/", "nodepool/"))]


def test_every_element_is_installed_with_its_run_bits(installed: Path) -> None:
    found = hooks(installed / "share/airgap-image-factory/elements")
    tracked = subprocess.run(["git", "ls-files", "elements"], cwd=ROOT, check=True, capture_output=True, text=True)
    expected = {name.removeprefix("elements/") for name in tracked.stdout.splitlines()}
    assert expected
    assert found == {name: mode for name, mode in hooks(ELEMENTS).items() if name in expected}


def elements_path(python: Path, cwd: Path) -> str:
    command = [str(python), "-m", "diskimage_validator", "elements-path"]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout.strip()


def test_elements_path_of_an_installation_is_its_own(installed: Path) -> None:
    # Even in a checkout: the current folder must not decide which elements are baked.
    expected = installed / "share/airgap-image-factory/elements"
    assert elements_path(installed / "bin/python", ROOT) == str(expected)


def test_elements_path_of_a_checkout_is_the_checkouts(tmp_path: Path) -> None:
    assert elements_path(Path(sys.executable), tmp_path) == str(ELEMENTS)


def test_the_block_device_plugin_is_registered() -> None:
    (plugin,) = entry_points(group="diskimage_builder.block_device.plugin", name="loop_partitioning")
    assert plugin.load().__name__ == "LoopPartitioning"
