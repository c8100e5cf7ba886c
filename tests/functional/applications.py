"""Applications from the package index that are too heavy for, or at odds with, the environment of the tests."""

import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock


def install(folder: Path, requirements: Sequence[str]) -> None:
    """Make a virtual environment in ``folder`` with ``requirements``, unless it is there; another worker waits."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        done = folder / "installed"
        if not done.exists():
            venv.create(folder, with_pip=True, clear=True)
            pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *requirements], check=True)
            done.touch()
