"""Packages and data files; everything else is in setup.cfg.

setuptools has no declarative way to install a tree outside a package with its layout and run bits
(``[options.data_files]`` flattens ``**``), and ``find:`` takes one root only. So both are computed here.
"""

from pathlib import Path

from setuptools import find_packages, setup

ROOTS = {"diskimage_validator": "validator", "airgap_image_factory": "builder"}
ELEMENTS = Path("elements")


def element_files() -> list[tuple[str, list[str]]]:
    """Return (installation folder, files) for every folder below ``elements/``."""
    share = Path("share/airgap-image-factory")
    folders: dict[str, list[str]] = {}
    for path in sorted(ELEMENTS.rglob("*")):
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.parts):
            folders.setdefault(str(share / path.parent), []).append(str(path))
    return list(folders.items())


setup(
    packages=[package for root in ROOTS.values() for package in find_packages(root)],
    package_dir={package: f"{root}/{package}" for package, root in ROOTS.items()},
    data_files=element_files(),
)
